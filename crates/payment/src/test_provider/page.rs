//! The page where the shopper agrees to a payment, or does not. It needs no script.

use minijinja::{AutoEscape, Environment, context};

use super::wire::{State, View};

const PAGE: &str = r#"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Test provider</title>
<style>
:root { color-scheme: light dark; --ink: #1d2433; --paper: #fff; --line: #c9d0dc; --soft: #5a6474; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8eaf0; --paper: #161a22; --line: #3a4252; --soft: #a3acbb; } }
body { font: 1.1rem/1.5 system-ui, sans-serif; max-width: 26rem; margin: 4rem auto; padding: 0 1rem; color: var(--ink); background: var(--paper); }
main { border: 1px solid var(--line); border-radius: .75rem; padding: 1.5rem; }
h1 { font-size: 1.1rem; margin: 0; } p { margin: .5rem 0; } p.note { color: var(--soft); }
strong { font-size: 1.6rem; }
div { display: flex; flex-wrap: wrap; gap: .75rem; margin-top: 1rem; }
button { font: inherit; padding: .6rem 1.2rem; border-radius: .5rem; border: 1px solid var(--ink); background: var(--paper); color: var(--ink); cursor: pointer; }
button.yes { background: var(--ink); color: var(--paper); }
button:focus-visible { outline: 3px solid #2f7bd6; outline-offset: 2px; }
</style>
</head>
<body>
<main>
<h1>Confirm a payment</h1>
<p><strong>{{ amount }}</strong></p>
{% if waits %}
<div>
<form method="post" action="/pay/{{ payment }}/confirm"><button class="yes">Confirm payment</button></form>
<form method="post" action="/pay/{{ payment }}/refuse"><button>Refuse</button></form>
</div>
{% else %}
<p>This payment is settled: {{ state }}.</p>
{% endif %}
<p class="note">This is the test provider of a shop: no money moves here.</p>
</main>
</body>
</html>
"#;

/// The page for a payment.
///
/// # Errors
/// When the template does not render.
pub(super) fn show(view: &View) -> Result<String, minijinja::Error> {
    let state = match view.state {
        State::RequiresAction => "waiting",
        State::Authorised => "confirmed",
        State::Captured => "paid",
        State::Voided => "given up",
        State::Declined => "declined",
    };
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    environment.render_named_str(
        "page.html",
        PAGE,
        context! {
            amount => view.amount.to_string(),
            payment => view.payment.as_str(),
            waits => view.state == State::RequiresAction,
            state,
        },
    )
}
