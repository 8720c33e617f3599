from odoo import api, fields, models


class ProductTemplate(models.Model):
    _inherit = "product.template"

    shop_shelf = fields.Char("Shelf", help="Where the product stands in the shop.")
    shop_label = fields.Char("Shelf label", compute="_compute_shop_label")

    @api.depends("name", "shop_shelf")
    def _compute_shop_label(self):
        for product in self:
            product.shop_label = " / ".join(filter(None, (product.shop_shelf, product.name)))
