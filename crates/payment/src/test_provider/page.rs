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
body { font: 1.1rem/1.5 system-ui, sans-serif; max-width: 26rem; margin: 4rem auto; padding: 0 1rem; color: #1d2433; }
main { border: 1px solid #c9d0dc; border-radius: .75rem; padding: 1.5rem; }
strong { font-size: 1.6rem; display: block; }
form { display: inline-block; margin: 1rem .5rem 0 0; }
button { font: inherit; padding: .6rem 1.2rem; border-radius: .5rem; border: 1px solid #1d2433; background: #fff; cursor: pointer; }
button.yes { background: #1d2433; color: #fff; }
</style>
</head>
<body>
<main>
<p>A test provider. No money moves here.</p>
<strong>{{ amount }}</strong>
{% if waits %}
<form method="post" action="/pay/{{ payment }}/confirm"><button class="yes">Confirm payment</button></form>
<form method="post" action="/pay/{{ payment }}/refuse"><button>Refuse</button></form>
{% else %}
<p>This payment is settled: {{ state }}.</p>
{% endif %}
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
