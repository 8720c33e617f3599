{
    "name": "Demo shop",
    "summary": "What the demo's shop adds to Odoo",
    "version": "1.1.0",
    "category": "Sales/Point of Sale",
    "license": "LGPL-3",
    "author": "SysGenPro",
    "depends": ["point_of_sale", "stock", "sale_management"],
    "data": [
        "data/shop_data.xml",
        "views/product_views.xml",
    ],
    "assets": {
        "web.assets_backend": ["sgp_demo_shop/static/src/**/*"],
    },
}
