//! The shop's pages, as a browser without JavaScript meets them.

use http::StatusCode;

use crate::support::browser::Browser;
use crate::support::{Engine, World, everywhere, on_both_engines};

everywhere!(somebody_buys_without_javascript);
on_both_engines!(
    what_is_typed_wrong_is_kept_and_told_beside_its_field,
    an_order_button_that_is_pressed_twice_makes_one_order,
    a_form_is_taken_from_pages_of_the_same_session_only,
    an_order_is_shown_to_nobody_else,
    what_shipping_would_cost_is_shown_before_there_is_an_address,
    what_goes_wrong_is_a_page_for_browsers_and_a_problem_for_programs,
    a_page_speaks_the_language_that_was_chosen_and_leads_nowhere_else,
);

const ADDRESS: [(&str, &str); 6] = [
    ("email", "ada@example.org"),
    ("name", "Ada Lovelace"),
    ("street", "Long Lane 1"),
    ("postal_code", "10115"),
    ("city", "Berlin"),
    ("country", "DE"),
];

/// Puts two candles into the cart and goes as far as the order button.
async fn to_the_button(browser: &mut Browser<'_>) {
    let product = browser.go("/products/a").await;
    assert_eq!(product.status, StatusCode::OK, "{}", product.text);
    let cart = browser.submit("/cart/lines", &[("sku", "A"), ("quantity", "2")]).await;
    assert!(cart.text.contains("Red candle") && cart.text.contains("€20.00"), "{}", cart.text);
    let address = browser.go("/checkout").await;
    assert!(address.text.contains("autocomplete=\"postal-code\""), "{}", address.text);
    let shipping = browser.submit("/checkout/address", &ADDRESS).await;
    assert!(shipping.text.contains("name=\"shipping_method\""), "{}", shipping.text);
    let method = first_choice(&shipping.text, "shipping_method");
    let review = browser.submit("/checkout/shipping", &[("shipping_method", &method)]).await;
    assert!(review.text.contains("Ada Lovelace"), "{}", review.text);
}

fn first_choice(page: &str, name: &str) -> String {
    let begin = format!("name=\"{name}\" value=\"");
    let (_, rest) = page.split_once(&begin).unwrap();
    rest.split_once('"').unwrap().0.to_owned()
}

/// What the order form carries, as the page has it.
fn order_form(browser: &Browser<'_>) -> Vec<(&'static str, String)> {
    let hidden = ["expected_total", "currency", "terms_version", "cart_version"];
    let mut fields: Vec<_> = hidden.iter().map(|name| (*name, browser.hidden(name))).collect();
    for (name, value) in
        [("payment_method", "card"), ("payment_token", "ok"), ("terms", "accepted")]
    {
        fields.push((name, value.to_owned()));
    }
    fields
}

fn borrowed<'a>(fields: &'a [(&'static str, String)]) -> Vec<(&'a str, &'a str)> {
    fields.iter().map(|(name, value)| (*name, value.as_str())).collect()
}

async fn somebody_buys_without_javascript(engine: Engine) {
    let world = World::open(engine).await;
    let mut browser = world.browser();
    to_the_button(&mut browser).await;
    let fields = order_form(&browser);
    let order = browser.submit("/checkout/review", &borrowed(&fields)).await;
    assert_eq!(order.status, StatusCode::OK, "{}", order.text);
    assert!(order.text.contains("Order K-"), "{}", order.text);
    let (_, rest) = order.text.split_once("/orders/").unwrap();
    let id = rest.split_once('/').unwrap().0.to_owned();
    for _ in 0..500 {
        let page = browser.go(&format!("/orders/{id}")).await;
        if page.text.contains("status-confirmed") {
            break;
        }
        platform::clock::Clock::system().sleep(std::time::Duration::from_millis(10)).await;
    }
    assert!(browser.page.contains("status-confirmed"), "{}", browser.page);
    let cart = browser.go("/cart").await;
    assert!(cart.text.contains("Nothing is in it yet"), "{}", cart.text);
    world.close().await;
}

async fn what_is_typed_wrong_is_kept_and_told_beside_its_field(engine: Engine) {
    let world = World::open(engine).await;
    let mut browser = world.browser();
    browser.go("/products/a").await;
    browser.submit("/cart/lines", &[("sku", "A"), ("quantity", "1")]).await;
    browser.go("/checkout/address").await;
    let typed =
        [("email", "no address"), ("name", "<b>Ada</b>"), ("country", "DE"), ("city", "Berlin")];
    let page = browser.submit("/checkout/address", &typed).await;
    assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(
        page.text.contains("value=\"no address\"") && page.text.contains("email-fault"),
        "{}",
        page.text
    );
    assert!(page.text.contains("&lt;b&gt;Ada") && !page.text.contains("<b>Ada"), "{}", page.text);
    world.close().await;
}

async fn what_shipping_would_cost_is_shown_before_there_is_an_address(engine: Engine) {
    let world = World::open(engine).await;
    let mut browser = world.browser();
    let product = browser.go("/products/a").await;
    assert!(product.text.contains("2 to 4 working days"), "{}", product.text);
    browser.submit("/cart/lines", &[("sku", "A"), ("quantity", "1")]).await;
    let home = browser.go("/cart").await;
    assert!(home.text.contains("Express delivery"), "{}", home.text);
    let there = browser.go("/cart?country=FR").await;
    assert!(there.text.contains("<option value=\"FR\" selected>France"), "{}", there.text);
    assert!(!there.text.contains("Express delivery"), "{}", there.text);
    let nowhere = browser.go("/cart?country=%22%3E%3Cscript%3E").await;
    assert!(nowhere.text.contains("<option value=\"DE\" selected>Germany"), "{}", nowhere.text);
    world.close().await;
}

async fn what_goes_wrong_is_a_page_for_browsers_and_a_problem_for_programs(engine: Engine) {
    let world = World::open(engine).await;
    let mut browser = world.browser();
    for path in ["/nowhere", "/nowhere/%3Cscript%3E", "/products/none", "/categories/none"] {
        let page = browser.go(path).await;
        assert_eq!(page.status, StatusCode::NOT_FOUND, "{path}");
        assert!(page.text.contains("There is nothing here"), "{path}: {}", page.text);
        assert!(!page.text.contains("<script>"), "{path}");
        assert!(page.header("content-security-policy").contains("'nonce-"), "{path}");
    }
    let page = world.page("/checkout/review/nowhere").send().await;
    assert_eq!(page.header("content-type"), "application/problem+json");
    let asked = world.page("/api/v1/nowhere").header("accept", "text/html").send().await;
    assert_eq!(asked.header("content-type"), "application/problem+json");
    let cookie = [("language", "de"), ("next", "/cart")];
    browser.go("/cart").await;
    browser.submit("/language", &cookie).await;
    assert!(browser.go("/nowhere").await.text.contains("Hier ist nichts"));
    world.close().await;
}

async fn an_order_button_that_is_pressed_twice_makes_one_order(engine: Engine) {
    let world = World::open(engine).await;
    let mut browser = world.browser();
    to_the_button(&mut browser).await;
    let fields = order_form(&browser);
    let mut again = browser.clone();
    let first = browser.send("/checkout/review", &borrowed(&fields), &[]).await;
    let second = again.send("/checkout/review", &borrowed(&fields), &[]).await;
    assert_eq!(first.status, StatusCode::SEE_OTHER, "{}", first.text);
    assert_eq!(first.header("location"), second.header("location"));
    world.close().await;
}

async fn a_form_is_taken_from_pages_of_the_same_session_only(engine: Engine) {
    let world = World::open(engine).await;
    let (mut here, mut elsewhere) = (world.browser(), world.browser());
    here.go("/products/a").await;
    elsewhere.go("/products/a").await;
    let line = [("sku", "A"), ("quantity", "1")];
    let cross = here.send("/cart/lines", &line, &[("sec-fetch-site", "cross-site")]).await;
    assert_eq!(cross.status, StatusCode::FORBIDDEN, "{}", cross.text);
    let cross = here.send("/cart/lines", &line, &[("origin", "https://evil.example")]).await;
    assert_eq!(cross.status, StatusCode::FORBIDDEN);
    let own = std::mem::replace(&mut here.page, elsewhere.page.clone());
    assert_eq!(here.send("/cart/lines", &line, &[]).await.status, StatusCode::FORBIDDEN);
    here.page.clear();
    assert_eq!(here.send("/cart/lines", &line, &[]).await.status, StatusCode::FORBIDDEN);
    here.page = own;
    assert_eq!(here.send("/cart/lines", &line, &[]).await.status, StatusCode::SEE_OTHER);
    world.close().await;
}

async fn an_order_is_shown_to_nobody_else(engine: Engine) {
    let world = World::open(engine).await;
    let (mut browser, mut other) = (world.browser(), world.browser());
    to_the_button(&mut browser).await;
    let fields = order_form(&browser);
    let placed = browser.send("/checkout/review", &borrowed(&fields), &[]).await;
    let path = placed.header("location").to_owned();
    assert_eq!(browser.go(&path).await.status, StatusCode::OK);
    let refused = other.go(&path).await;
    let missing = other.go("/orders/00000000-0000-0000-0000-000000000000").await;
    assert_eq!((refused.status, missing.status), (StatusCode::NOT_FOUND, StatusCode::NOT_FOUND));
    for suffix in ["/progress", "/events", "/documents/invoices/x"] {
        assert_eq!(other.go(&format!("{path}{suffix}")).await.status, StatusCode::NOT_FOUND);
    }
    world.close().await;
}

async fn a_page_speaks_the_language_that_was_chosen_and_leads_nowhere_else(engine: Engine) {
    let world = World::open(engine).await;
    let mut browser = world.browser();
    assert!(browser.go("/cart").await.text.contains("<html lang=\"en\">"));
    let page = browser.submit("/language", &[("language", "de"), ("next", "/cart")]).await;
    assert!(page.text.contains("<html lang=\"de\">") && page.text.contains("Warenkorb"));
    for next in ["//evil.example", "/\\evil.example", "https:evil.example"] {
        let answer = browser.send("/language", &[("language", "en"), ("next", next)], &[]).await;
        assert_eq!(answer.header("location"), "/", "{next}");
    }
    world.close().await;
}
