{
    "name": "Demo shop",
    "summary": "What the demo's shop adds to Odoo",
    "version": "1.2.0",
    "category": "Sales/Point of Sale",
    "license": "LGPL-3",
    "author": "SysGenPro",
    "depends": ["point_of_sale", "stock", "sale_management"],
    "data": [
        "data/shop_data.xml",
        "views/product_views.xml",
    ],
    "assets": {
        "web.assets_backend": [
            "sgp_demo_shop/static/src/**/*",
            ("remove", "sgp_demo_shop/static/src/main.js"),
        ],
        "web.assets_web": [
            ("replace", "web/static/src/main.js", "sgp_demo_shop/static/src/main.js"),
        ],
    },
}
