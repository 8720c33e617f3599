import { registry } from "@web/core/registry";

/** Tells the page which shop it belongs to, for the style sheet. */
registry.category("services").add("demo_shop", {
    start() {
        document.body.classList.add("o_demo_shop");
    },
});
