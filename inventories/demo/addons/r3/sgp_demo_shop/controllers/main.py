from odoo import http


class DemoShop(http.Controller):
    @http.route("/demo_shop/release", type="http", auth="none", methods=["GET"], save_session=False)
    def release(self):
        return http.Response("r3", content_type="text/plain")
