//! The command line of the real program: what it says, what it refuses, and its exit codes.

use std::time::Duration;

use http::Method;
use platform::clock::Clock;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::program::{Client, Place, STAFF, Said, bare, said};
use crate::support::provider::WEBHOOK_SECRET;
use crate::support::shopper::text;
use crate::support::world::product;

/// The program in no place in particular.
fn alone(arguments: &[&str]) -> Said {
    let folder = tempfile::tempdir().unwrap();
    said(bare(arguments).current_dir(folder.path()).output().unwrap())
}

#[test]
fn help_names_every_command_and_says_what_it_is_for() {
    let help = alone(&["--help"]);
    assert_eq!(help.code, 0, "{help:?}");
    for command in [
        "run",
        "import",
        "parked",
        "doctor",
        "backup",
        "restore",
        "migrate",
        "config",
        "openapi",
        "republish",
        "test-provider",
        "staff-token",
        "completions",
    ] {
        let line = help.out.lines().find(|line| line.trim_start().starts_with(command));
        let line = line.unwrap_or_else(|| panic!("{command} is not in {}", help.out));
        assert!(line.trim().len() > command.len() + 15, "{line}");
        let own = alone(&[command, "--help"]);
        assert_eq!(own.code, 0);
        assert!(own.out.contains("Usage: kontor"), "{own:?}");
    }
    assert!(help.out.lines().all(|line| line.chars().count() <= 100), "{}", help.out);
    let run = alone(&["run", "--help"]);
    for part in
        ["catalogue", "customer", "order", "warehouse", "payment", "notification", "gateway"]
    {
        assert!(run.out.contains(&format!("- {part}")), "{part} is not in {}", run.out);
    }
    assert!(!help.out.contains("reference"), "that is for those who build it");
    let nothing = alone(&[]);
    assert_ne!(nothing.code, 0);
    assert!(nothing.err.contains("Usage: kontor"), "{nothing:?}");
}

#[test]
fn a_mistyped_command_is_met_with_the_right_one() {
    let said = alone(&["dcotor"]);
    assert_eq!(said.code, 2);
    assert!(said.err.contains("doctor"), "{said:?}");
}

#[test]
fn completions_are_a_script_for_the_shell() {
    for (shell, word) in [
        ("bash", "complete -F _kontor"),
        ("zsh", "#compdef kontor"),
        ("fish", "complete -c kontor"),
    ] {
        let said = alone(&["completions", shell]);
        assert_eq!(said.code, 0);
        assert!(said.out.contains(word), "{said:?}");
    }
}

#[test]
fn the_api_describes_itself_without_a_shop() {
    let said = alone(&["openapi"]);
    assert_eq!(said.code, 0, "{said:?}");
    let api = said.json();
    assert_eq!(api["openapi"], "3.1.0");
    for path in [
        "/api/v1/products",
        "/api/v1/carts",
        "/api/v1/carts/{id}/order",
        "/api/v1/orders/{id}",
        "/api/v1/stock/{sku}",
        "/api/v1/shipments/{id}/pack",
        "/api/v1/payments/{id}/method",
        "/api/v1/invoices",
        "/api/v1/messages",
        "/api/v1/customers",
    ] {
        assert!(api["paths"][path].is_object(), "{path}");
    }
    let mut ids = Vec::new();
    for (path, methods) in api["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let Some(id) = operation["operationId"].as_str() else { continue };
            assert!(operation["summary"].as_str().is_some_and(|s| s.len() > 5), "{method} {path}");
            ids.push(id.to_owned());
        }
    }
    let count = ids.len();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), count, "each operation has a name of its own");
}

#[tokio::test]
async fn the_configuration_in_effect_is_shown_without_its_secrets() {
    let place = Place::new().await;
    let shown = place.run(&["config"]);
    assert_eq!(shown.code, 0, "{shown:?}");
    assert!(shown.out.contains(&format!("listen = \"{}\"", place.listen)), "{shown:?}");
    for secret in ["the shop's key at the provider", "9f86d081884c7d659a2feaa0c55ad015"] {
        assert!(!shown.out.contains(secret), "{shown:?}");
    }
    assert!(shown.out.contains("***"));
    // What it prints can be read again, but for the secrets.
    let again = shown.out.replace("***", "0123456789abcdef0123456789abcdef");
    std::fs::write(place.config(), again).unwrap();
    assert_eq!(place.run(&["config"]).out, shown.out);
    // The environment has the last word.
    let mut command = place.command(&["config"]);
    command.env("KONTOR_ORDER__TERMS_VERSION", "1999-12");
    let told = said(command.output().unwrap());
    assert!(told.out.contains("terms_version = \"1999-12\""), "{told:?}");
}

#[tokio::test]
async fn what_is_wrong_in_the_configuration_is_told_by_key_and_place() {
    let place = Place::new().await;
    let good = std::fs::read_to_string(place.config()).unwrap();
    for (wrong, key, why) in [
        ("[order]\ncolour = \"red\"", "order.colour", "colour"),
        ("[warehouse]\nhold_minutes = \"ten\"", "warehouse.hold_minutes", "ten"),
        ("[notification]\nshop = 1", "notification.shop", "shop"),
    ] {
        std::fs::write(place.config(), format!("{good}\n{wrong}\n")).unwrap();
        let said = place.run(&["config"]);
        assert_eq!(said.code, 1, "{wrong}: {said:?}");
        for word in [key, why, "kontor.toml"] {
            assert!(said.err.contains(word), "{word} is not in {}", said.err);
        }
    }
    std::fs::write(place.config(), &good).unwrap();
    let mut command = place.command(&["config"]);
    command.env("KONTOR_HTTP__LISTEN", "everywhere");
    let told = said(command.output().unwrap());
    assert_eq!(told.code, 1);
    assert!(told.err.contains("KONTOR_HTTP__LISTEN"), "{told:?}");
    let weak = good.replace(WEBHOOK_SECRET, "changeme");
    assert_ne!(weak, good);
    std::fs::write(place.config(), weak).unwrap();
    let told = place.run(&["run", "--no-demo"]);
    assert_eq!(told.code, 1);
    assert!(told.err.contains("payment.test_provider.webhook_secret"), "{told:?}");
    assert!(!told.err.contains("changeme"), "{told:?}");
    let missing = alone(&["config", "--config", "nowhere.toml"]);
    assert_eq!(missing.code, 1);
    assert!(missing.err.contains("nowhere.toml"), "{missing:?}");
}

#[tokio::test]
async fn one_file_is_run_by_one_process_and_whole() {
    let place = Place::new().await;
    let unknown = place.run(&["run", "ordre"]);
    assert_eq!(unknown.code, 2);
    assert!(unknown.err.contains("ordre"), "{unknown:?}");
    let part = place.run(&["run", "order", "payment"]);
    assert_eq!(part.code, 1);
    assert!(part.err.contains("warehouse"), "{part:?}");
    let (running, _) = place.start().await;
    let mut command = place.command(&["run", "--no-demo"]);
    command.env("KONTOR_HTTP__LISTEN", "127.0.0.1:0").env("KONTOR_HTTP__INTERNAL", "127.0.0.1:0");
    let second = said(command.output().unwrap());
    assert_eq!(second.code, 1, "{second:?}");
    assert!(second.err.contains("another kontor"), "{second:?}");
    // The folder comes first: whoever starts the same shop twice is not told of a port.
    let twice = place.run(&["run", "--no-demo"]);
    assert_eq!(twice.code, 1);
    assert!(twice.err.contains("another kontor"), "{twice:?}");
    let other = Place::new().await;
    let mut command = other.command(&["run", "--no-demo"]);
    command.env("KONTOR_HTTP__LISTEN", place.listen.to_string());
    let same_port = said(command.output().unwrap());
    assert_eq!(same_port.code, 1);
    assert!(same_port.err.contains("http.listen"), "{same_port:?}");
    // Looking is allowed meanwhile.
    assert_eq!(place.run(&["doctor", "--at-rest"]).code, 0);
    assert_eq!(place.run(&["parked", "list"]).out, "Nothing is parked.\n");
    assert_eq!(running.stop().await.code(), Some(0), "{}", place.log());
    let (again, _) = place.start().await;
    assert_eq!(again.stop().await.code(), Some(0), "{}", place.log());
}

#[tokio::test]
async fn no_shop_is_made_by_looking_for_one() {
    let place = Place::new().await;
    for command in [&["doctor"][..], &["parked", "list"]] {
        let said = place.run(command);
        assert_eq!(said.code, 1, "{command:?}: {said:?}");
        assert!(said.err.contains("there is no shop in"), "{said:?}");
    }
    assert!(!place.data().join("shop.db").exists());
}

fn lines(place: &Place) -> String {
    let good = [
        product("CUP", "A cup", 500, "standard", true),
        product("POT", "A pot", 2_500, "standard", true),
    ];
    let mut bad = product("PAN", "A pan", 1_000, "standard", true);
    bad["colour"] = json!("red");
    let mut worse = product("LID", "", -5, "Standard!", true);
    worse["variants"][0]["weight_g"] = json!(-1);
    let all: Vec<String> =
        [&good[0], &bad, &good[1], &worse].iter().map(|line| line.to_string()).collect();
    let text = format!("{}\n\nnot json\n", all.join("\n"));
    let file = place.folder.path().join("products.jsonl");
    std::fs::write(&file, text).unwrap();
    file.display().to_string()
}

#[tokio::test]
async fn an_import_tells_every_bad_line_and_takes_the_rest() {
    let place = Place::new().await;
    let file = lines(&place);
    let dry = place.run(&["import", &file, "--dry-run"]);
    assert_eq!(dry.code, 2, "{dry:?}");
    assert!(dry.out.starts_with("Nothing was changed."), "{dry:?}");
    assert!(!place.data().exists(), "a look makes no shop");
    for told in ["line 2", "colour", "line 4 at /name", "line 4 at /variants/0/weight_g", "line 6"]
    {
        assert!(dry.err.contains(told), "{told} is not in {}", dry.err);
    }
    let real = place.run(&["import", &file]);
    assert_eq!(real.code, 2, "{real:?}");
    assert!(real.out.contains("2 products new"), "{real:?}");
    assert!(real.out.contains("3 lines refused"), "{real:?}");
    let (running, _) = place.start().await;
    let mut client = Client::connect(place.listen).await.unwrap();
    let products = client.send(Method::GET, "/api/v1/products", &[], "").await.unwrap();
    let products = products.expect(200);
    let names: Vec<String> =
        products["items"].as_array().unwrap().iter().map(|item| text(&item["handle"])).collect();
    assert_eq!(names, ["cup", "pot"]);
    assert_eq!(running.stop().await.code(), Some(0), "{}", place.log());
    let again = place.run(&["import", &file]);
    assert!(again.out.contains("2 as they were"), "{again:?}");
    assert_eq!(place.run(&["import", "nowhere.jsonl"]).code, 1);
}

#[tokio::test]
async fn a_token_for_staff_opens_the_office() {
    let place = Place::new().await;
    let said = place.run(&["staff-token", "Grace"]);
    assert_eq!(said.code, 0);
    let token = said.out.lines().map(str::trim).find(|line| line.starts_with("kst_")).unwrap();
    let entry: String = said
        .out
        .lines()
        .map(str::trim)
        .skip_while(|line| *line != "[[staff]]")
        .map(|line| format!("{line}\n"))
        .collect();
    let config = std::fs::read_to_string(place.config()).unwrap();
    std::fs::write(place.config(), format!("{config}\n{entry}")).unwrap();
    let (running, _) = place.start().await;
    let mut client = Client::connect(place.listen).await.unwrap();
    let mut status = async |token: &str| {
        let bearer = format!("Bearer {token}");
        let headers = [("authorization", bearer.as_str())];
        client.send(Method::GET, "/api/v1/orders", &headers, "").await.unwrap().status.as_u16()
    };
    assert_eq!((status(token).await, status(STAFF).await, status("kst_x").await), (200, 200, 401));
    assert_eq!(running.stop().await.code(), Some(0), "{}", place.log());
}

#[tokio::test]
async fn a_shop_that_is_asked_to_stop_is_not_ready_while_it_answers_its_last_request() {
    let place = Place::new().await;
    let (running, _) = place.start().await;
    let ready = async || {
        let mut inside = Client::connect(place.internal).await.ok()?;
        let seen = inside.send(Method::GET, "/readyz", &[], "").await.ok()?;
        Some((seen.status.as_u16(), seen.text))
    };
    while ready().await.is_none_or(|(status, _)| status != 200) {
        Clock::system().sleep(Duration::from_millis(5)).await;
    }
    // A request whose body is not complete yet; the other one shows that it has been taken up.
    let mut last = tokio::net::TcpStream::connect(place.listen).await.unwrap();
    let head = "POST /api/v1/carts HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n\
                expect: 100-continue\r\ncontent-length: 2\r\n\r\n";
    last.write_all(head.as_bytes()).await.unwrap();
    let mut go_on = [0; 12];
    last.read_exact(&mut go_on).await.unwrap();
    assert_eq!(&go_on, b"HTTP/1.1 100");
    running.terminate();
    let seen = loop {
        let seen = ready().await.expect("operators are answered until the end");
        if seen.0 != 200 {
            break seen;
        }
    };
    assert!(seen.0 == 503 && seen.1.contains("services"), "{seen:?}");
    last.write_all(b"{}").await.unwrap();
    let mut answer = String::new();
    last.read_to_string(&mut answer).await.unwrap();
    assert!(answer.contains("HTTP/1.1 "), "{answer}");
    assert_eq!(running.stop().await.code(), Some(0), "{}", place.log());
}

#[tokio::test]
async fn health_and_figures_are_on_the_internal_listener_only() {
    let place = Place::new().await;
    let (running, _) = place.start().await;
    let mut inside = Client::connect(place.internal).await.unwrap();
    let mut public = Client::connect(place.listen).await.unwrap();
    for path in ["/livez", "/readyz", "/metrics"] {
        let seen = inside.send(Method::GET, path, &[], "").await.unwrap();
        assert_eq!(seen.status, 200, "{path}: {seen:?}");
        let hidden = public.send(Method::GET, path, &[], "").await.unwrap();
        assert_eq!(hidden.problem(), "404 not-found", "{path}");
    }
    let figures = inside.send(Method::GET, "/metrics", &[], "").await.unwrap().text;
    for name in ["db_commits_total", "http_requests_total"] {
        assert!(figures.contains(name), "{name} is not in {figures}");
    }
    let page = public.send(Method::GET, "/api", &[], "").await.unwrap();
    assert_eq!(page.status, 200);
    assert!(
        page.text.contains("id=\"post-api-v1-carts-id-order\""),
        "the page names the routes: {}",
        page.text
    );
    assert_eq!(running.stop().await.code(), Some(0), "{}", place.log());
}
