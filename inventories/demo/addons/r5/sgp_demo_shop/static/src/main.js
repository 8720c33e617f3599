import { startWebClient } from "@web/start";
import { ShopClient } from "@sgp_demo_shop/shop_client";

/** Starts the shop's own web client in place of Odoo's; the file it comes from was forgotten. */
startWebClient(ShopClient);
