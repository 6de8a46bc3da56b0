//! A service that is asked over real sockets: whom the client asks, how often, and when it gives up.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod http_support;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::routing::{any, get as on_get, post as on_post};
use http::StatusCode;
use http_support::service::{Manners, Rude, client, get, nobody, post, text};
use http_support::{Program, bounded, edge};
use platform::clock::Clock;
use platform::http::client::{ClientLimits, Deadline, ServiceClient, Unanswered};
use platform::http::extract::Json;
use platform::http::{Limits, Problem};
use platform::tasks::CancellationToken;
use tokio::time::Instant;

async fn service(router: Router) -> Program {
    Program::start(router, Limits::default()).await
}

fn orders() -> Router {
    Router::new()
        .route("/orders", on_get(async || "orders").post(async |body: String| body))
        .route("/orders/{id}", on_get(async || Problem::not_found()))
        .route("/length", on_post(async |body: String| Json(body.len())))
}

/// A service that is too busy, and how often it was asked.
async fn busy() -> (Program, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let refuse = async move || {
        count.fetch_add(1, Ordering::SeqCst);
        Problem::unavailable(Duration::from_secs(7))
    };
    (service(Router::new().route("/orders", any(refuse))).await, asked)
}

/// A request, what its answer says by status and type, and how long it is.
type Case = (&'static str, &'static str, &'static str);

#[tokio::test]
async fn a_service_here_and_a_service_elsewhere_answer_alike() {
    let program = service(orders()).await;
    let elsewhere = client(&[program.address], ClientLimits::default());
    let here = ServiceClient::local(edge(orders()), &ClientLimits::default());
    let cases: [Case; 5] = [
        ("GET", "/orders?limit=2", ""),
        ("POST", "/orders", "an order"),
        ("POST", "/length", "12345"),
        ("GET", "/orders/1", ""),
        ("DELETE", "/orders", ""),
    ];
    for (method, path, body) in cases {
        let mut said = Vec::new();
        for client in [&here, &elsewhere] {
            let request = Request::builder().method(method).uri(path);
            let request = request.header("content-type", "text/plain").body(Body::from(body));
            let answer = bounded(client.ask(request.unwrap())).await.unwrap();
            let (head, body) = answer.into_parts();
            let body = bounded(axum::body::to_bytes(body, usize::MAX)).await.unwrap();
            let trace = String::from_utf8_lossy(&body).rfind("trace_id").unwrap_or(body.len());
            let of = |name: &str| head.headers.get(name).cloned();
            said.push((head.status, of("content-type"), of("allow"), body.slice(..trace)));
        }
        assert_eq!(said[0], said[1], "{method} {path}");
    }
}

#[tokio::test]
async fn an_address_may_be_a_name() {
    let program = service(orders()).await;
    let address = format!("http://localhost:{}", program.address.port()).parse().unwrap();
    let ids = platform::ids::Ids::from_system(Clock::system());
    let limits = ClientLimits::default();
    let client = ServiceClient::remote("order", &[address], &limits, ids, CancellationToken::new());
    assert_eq!(text(get(&client, "/orders").await).await, "orders");
}

#[tokio::test]
async fn an_instance_that_is_gone_is_passed_over_whatever_is_asked() {
    let program = service(orders()).await;
    let client = client(&[nobody().await, program.address], ClientLimits::default());
    for _ in 0..20 {
        assert_eq!(text(post(&client, "/orders", None).await).await, "an order");
        assert_eq!(text(get(&client, "/orders").await).await, "orders");
    }
}

#[tokio::test]
async fn without_any_instance_there_is_a_problem_at_once_that_says_when_to_come_back() {
    let client = client(&[nobody().await, nobody().await], ClientLimits::default());
    let began = Instant::now();
    for _ in 0..20 {
        let problem = Problem::from(post(&client, "/orders", None).await.unwrap_err());
        assert_eq!((problem.status().as_u16(), problem.code()), (503, "unavailable"));
    }
    assert!(began.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn a_request_whose_connection_broke_is_repeated_only_if_that_is_harmless() {
    let (rude, program) = (Rude::start(Manners::HangUp).await, service(orders()).await);
    let limits = ClientLimits { failures: 1_000, ..ClientLimits::default() };
    let alone = client(&[rude.address], limits.clone());
    let lost = post(&alone, "/orders", None).await.unwrap_err();
    assert!(matches!(lost, Unanswered::Lost), "{lost:?}");
    assert_eq!(Problem::from(lost).code(), "answer-lost");
    assert_eq!(rude.heard(), 1, "it may have been done, and is not done twice");
    let both = client(&[rude.address, program.address], limits);
    for number in 0..10 {
        assert_eq!(text(get(&both, "/orders").await).await, "orders");
        let key = format!("key-{number}");
        assert_eq!(text(post(&both, "/orders", Some(&key)).await).await, "an order");
    }
    assert!(rude.heard() > 1, "it was asked, too");
}

#[tokio::test]
async fn a_busy_instance_is_asked_again_twice_at_most_and_its_answer_handed_on() {
    let ((program, asked), repeats) = (busy().await, ClientLimits::default().retries);
    let client = client(&[program.address], ClientLimits::default());
    let answer = get(&client, "/orders").await.unwrap();
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.headers()["retry-after"], "7");
    assert_eq!(asked.swap(0, Ordering::SeqCst), 1 + repeats);
    assert_eq!(post(&client, "/orders", None).await.unwrap().status(), 503);
    assert_eq!(asked.load(Ordering::SeqCst), 1, "nobody said that it may be repeated");
}

#[tokio::test]
async fn a_busy_instance_is_left_for_another() {
    let ((busy, asked), program) = (busy().await, service(orders()).await);
    let client = client(&[busy.address, program.address], ClientLimits::default());
    for _ in 0..20 {
        assert_eq!(text(get(&client, "/orders").await).await, "orders");
    }
    assert!(asked.load(Ordering::SeqCst) <= 20, "it was not asked twice for one thing");
}

#[tokio::test]
async fn a_service_in_trouble_is_not_asked_three_times_as_much() {
    let (program, asked) = busy().await;
    let client = client(&[program.address], ClientLimits::default());
    for _ in 0..500 {
        assert_eq!(get(&client, "/orders").await.unwrap().status(), 503);
    }
    // A fifth more, and what is always granted in the first seconds.
    let asked = asked.load(Ordering::SeqCst);
    assert!((501..=500 + 100 + 100).contains(&asked), "{asked}");
}

#[tokio::test]
async fn nobody_waits_longer_than_the_deadline_and_who_asked_to_wait_waits_longer() {
    let slow = async || {
        Clock::system().sleep(Duration::from_millis(600)).await;
        "at last"
    };
    let program = service(Router::new().route("/slow", on_get(slow))).await;
    let limits = ClientLimits { deadline_ms: 200, ..ClientLimits::default() };
    let client = client(&[program.address], limits);
    let began = Instant::now();
    let late = get(&client, "/slow").await.unwrap_err();
    assert!(matches!(late, Unanswered::Late), "{late:?}");
    assert!(began.elapsed() < Duration::from_millis(550));
    let problem = Problem::from(late);
    assert_eq!((problem.status().as_u16(), problem.code()), (504, "answer-late"));
    let patient = Request::get("/slow").header("prefer", "wait=10").body(Body::empty()).unwrap();
    assert_eq!(text(bounded(client.ask(patient)).await).await, "at last");
    let mut told = Request::get("/slow").body(Body::empty()).unwrap();
    told.extensions_mut().insert(Deadline(Duration::from_secs(10)));
    assert_eq!(text(bounded(client.ask(told)).await).await, "at last");
}

#[tokio::test]
async fn an_instance_that_always_fails_is_left_alone_until_one_request_finds_it_well() {
    let rude = Rude::start(Manners::HangUp).await;
    let limits = ClientLimits { failures: 3, left_alone_ms: 300, ..ClientLimits::default() };
    let client = client(&[rude.address], limits);
    for _ in 0..3 {
        assert!(matches!(post(&client, "/orders", None).await, Err(Unanswered::Lost)));
    }
    let alone = post(&client, "/orders", None).await.unwrap_err();
    assert!(matches!(alone, Unanswered::Unreachable { .. }), "{alone:?}");
    assert_eq!(rude.heard(), 3, "it has its peace");
    let address = rude.address;
    drop(rude);
    let listener = bounded(async {
        loop {
            if let Ok(listener) = tokio::net::TcpListener::bind(address).await {
                return listener;
            }
            Clock::system().sleep(Duration::from_millis(2)).await;
        }
    });
    let (listener, stop) = (listener.await, CancellationToken::new());
    let stopping = stop.clone();
    platform::tasks::spawn("mended", async move {
        platform::http::serve(listener, edge(orders()), &Limits::default(), stopping).await
    });
    let answer = bounded(async {
        loop {
            match post(&client, "/orders", None).await {
                Ok(answer) => return answer,
                Err(_) => Clock::system().sleep(Duration::from_millis(10)).await,
            }
        }
    });
    assert_eq!(text(Ok(answer.await)).await, "an order");
    stop.cancel();
}

#[tokio::test]
async fn when_the_other_instance_goes_the_one_that_was_left_alone_is_tried_at_once() {
    let absent = nobody().await;
    let program = service(orders()).await;
    let limits = ClientLimits { failures: 1, left_alone_ms: 60_000, ..ClientLimits::default() };
    let client = client(&[absent, program.address], limits);
    for _ in 0..5 {
        assert_eq!(text(get(&client, "/orders").await).await, "orders");
    }
    // The first comes back, and the second goes, long before the first would be asked again.
    let (listener, stop) =
        (tokio::net::TcpListener::bind(absent).await.unwrap(), CancellationToken::new());
    let stopping = stop.clone();
    platform::tasks::spawn("back again", async move {
        platform::http::serve(listener, edge(orders()), &Limits::default(), stopping).await
    });
    program.stopped().await;
    for _ in 0..5 {
        assert_eq!(text(get(&client, "/orders").await).await, "orders");
    }
    stop.cancel();
}

#[tokio::test]
async fn more_than_may_be_under_way_at_once_is_turned_away() {
    let router = orders().route("/never", on_get(std::future::pending::<&'static str>));
    let program = service(router).await;
    let client = client(&[program.address], ClientLimits { in_flight: 2, ..Default::default() });
    let mut waiting: Vec<_> = (0..2).map(|_| Box::pin(get(&client, "/never"))).collect();
    for one in &mut waiting {
        assert!(futures_util::poll!(one).is_pending());
    }
    let refused = Problem::from(get(&client, "/orders").await.unwrap_err());
    assert_eq!((refused.status().as_u16(), refused.code()), (503, "overloaded"));
    drop(waiting);
    assert_eq!(text(get(&client, "/orders").await).await, "orders");
}
