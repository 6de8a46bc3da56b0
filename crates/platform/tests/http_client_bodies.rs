//! What goes through the client: bodies as they come, headers that may pass, and clients who leave.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod http_support;

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::response::Sse;
use axum::response::sse::Event;
use axum::routing::{get as on_get, post as on_post};
use futures_util::{Stream, StreamExt, stream};
use http::HeaderMap;
use http_support::service::{Manners, Rude, client, client_until, get, text, until};
use http_support::{Program, ask, bounded, edge};
use platform::http::Limits;
use platform::http::client::{ClientLimits, Unanswered};
use platform::http::extract::Json;
use platform::tasks::CancellationToken;
use tower::ServiceExt;

/// A body that is written while it is sent.
fn written() -> (tokio::sync::mpsc::Sender<&'static str>, Body) {
    let (sender, receiver) = tokio::sync::mpsc::channel(8);
    let chunks = stream::unfold(receiver, |mut receiver| async move {
        Some((Ok::<_, Infallible>(Bytes::from(receiver.recv().await?)), receiver))
    });
    (sender, Body::from_stream(chunks))
}

#[tokio::test]
async fn bodies_are_streamed_both_ways_while_they_are_written() {
    let echo = on_post(async |request: Request| request.into_body());
    let program = Program::start(Router::new().route("/echo", echo), Limits::default()).await;
    let client = client(&[program.address], ClientLimits::default());
    let (sender, body) = written();
    sender.send("first").await.unwrap();
    let answer = bounded(client.ask(Request::post("/echo").body(body).unwrap())).await.unwrap();
    let mut echoed = answer.into_body().into_data_stream();
    assert_eq!(bounded(echoed.next()).await.unwrap().unwrap(), "first");
    sender.send("second").await.unwrap();
    assert_eq!(bounded(echoed.next()).await.unwrap().unwrap(), "second");
    drop(sender);
    assert!(bounded(echoed.next()).await.is_none());
}

fn ticking() -> Router {
    let events = async || {
        let first = stream::iter([Ok::<_, Infallible>(Event::default().id("1").data("placed"))]);
        Sse::new(first.chain(stream::pending()))
    };
    Router::new().route("/events", on_get(events)).route("/hello", on_get(async || "hello"))
}

#[tokio::test]
async fn events_arrive_as_they_happen_and_end_well_when_the_program_stops() {
    let program = Program::start(ticking(), Limits::default()).await;
    let stop = CancellationToken::new();
    let limits = ClientLimits { in_flight: 1, streams: 2, ..ClientLimits::default() };
    let client = client_until(&[program.address], limits, stop.clone());
    let mut open = Vec::new();
    for _ in 0..2 {
        let answer = get(&client, "/events").await.unwrap();
        assert_eq!(answer.headers()["content-type"], "text/event-stream");
        let mut events = answer.into_body().into_data_stream();
        let first = bounded(events.next()).await.unwrap().unwrap();
        assert_eq!(first, "id: 1\ndata: placed\n\n");
        open.push(events);
    }
    // Streams do not take the place of requests, and have a bound of their own.
    assert_eq!(text(get(&client, "/hello").await).await, "hello");
    assert!(matches!(get(&client, "/events").await, Err(Unanswered::TooMuch)));
    stop.cancel();
    for events in &mut open {
        assert!(bounded(events.next()).await.is_none());
    }
}

#[tokio::test]
async fn an_answer_that_is_cut_in_its_middle_is_not_taken_for_a_whole_one() {
    for head in [
        "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n",
    ] {
        let rude = Rude::start(Manners::SayAndHangUp(head)).await;
        let client = client(&[rude.address], ClientLimits::default());
        let answer = get(&client, "/orders").await.unwrap();
        let read = bounded(axum::body::to_bytes(answer.into_body(), usize::MAX)).await;
        assert!(read.is_err(), "{head:?}");
        assert_eq!(rude.heard(), 1, "what has begun is not repeated");
    }
}

#[tokio::test]
async fn an_answer_that_pauses_for_too_long_is_cut_off() {
    let head = "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf";
    let rude = Rude::start(Manners::SayAndPause(head)).await;
    let limits = ClientLimits { pause_ms: 200, ..ClientLimits::default() };
    let client = client(&[rude.address], limits);
    let answer = get(&client, "/orders").await.unwrap();
    let read = bounded(axum::body::to_bytes(answer.into_body(), usize::MAX)).await;
    assert!(format!("{:?}", read.unwrap_err()).contains("Paused"));
}

async fn heard(headers: HeaderMap) -> Json<Vec<(String, String)>> {
    let text = |value: &http::HeaderValue| value.to_str().unwrap().to_owned();
    Json(headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect())
}

#[tokio::test]
async fn a_service_hears_the_trace_and_who_asks_and_nothing_that_is_claimed() {
    // A bare server: no edge of its own takes anything off.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let stop = CancellationToken::new();
    let (stopping, bare) = (stop.clone(), Router::new().route("/heard", on_get(heard)));
    platform::tasks::spawn("bare", async move {
        platform::http::serve(listener, bare, &Limits::default(), stopping).await
    });
    let client = client(&[address], ClientLimits::default());
    let gateway = edge(Router::new().route_service("/heard", client));
    let trace = "0af7651916cd43dd8448eb211c80319c";
    let request = Request::get("/heard")
        .header("traceparent", format!("00-{trace}-b7ad6b7169203331-01"))
        .header("authorization", "Bearer kct_12345678")
        .header("connection", "x-hop")
        .header("x-hop", "1")
        .header("host", "shop.example")
        .header("x-user-id", "admin")
        .header("x-forwarded-for", "10.0.0.1")
        .header("x-internal-role", "admin")
        .header("forwarded", "for=10.0.0.1");
    let answer = ask(&gateway, request.body(Body::empty()).unwrap()).await;
    let heard: Vec<(String, String)> = serde_json::from_str(&answer.text).unwrap();
    let of = |name: &str| heard.iter().find(|(one, _)| one == name).map(|(_, value)| value.clone());
    assert_eq!(of("authorization").unwrap(), "Bearer kct_12345678");
    assert_eq!(of("host").unwrap(), address.to_string());
    assert_eq!(of("x-request-id").unwrap(), trace);
    assert!(of("traceparent").unwrap().starts_with(&format!("00-{trace}-")));
    let names: Vec<&str> = heard.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(heard.len(), 4, "{names:?}");
    stop.cancel();
}

#[tokio::test]
async fn who_sends_too_much_or_breaks_off_is_to_blame_and_not_the_service() {
    let read = on_post(async |body: Bytes| body.len().to_string());
    let router = Router::new().route("/import", read).route("/hello", on_get(async || "hello"));
    let program = Program::start(router, Limits::default()).await;
    let limits = ClientLimits { failures: 1, left_alone_ms: 60_000, ..ClientLimits::default() };
    let client = client(&[program.address], limits);
    let routes = Router::new().route_service("/import", client.clone());
    let gateway = platform::http::app(
        routes,
        platform::http::HttpContext::for_test_with(Limits {
            body_bytes: 1_000,
            ..Limits::default()
        }),
    );
    let chunk = || Ok::<_, Infallible>(Bytes::from_static(&[b'x'; 400]));
    let chunks = |count: usize| stream::iter((0..count).map(move |_| chunk()));
    let too_much = Request::post("/import").body(Body::from_stream(chunks(100))).unwrap();
    assert_eq!(ask(&gateway, too_much).await.problem().1, "payload-too-large");
    let broken = chunks(1).map(Ok::<_, Infallible>).map(|chunk| match chunk {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(never)) | Err(never) => match never {},
    });
    let broken = broken.chain(stream::iter([Err(std::io::Error::other("gone"))]));
    let broken = Request::post("/import").body(Body::from_stream(broken)).unwrap();
    assert_eq!(ask(&gateway, broken).await.problem().1, "malformed");
    assert_eq!(text(get(&client, "/hello").await).await, "hello", "it is still asked");
}

/// What is being worked on, counted.
struct Working(Arc<AtomicUsize>);

impl Working {
    fn begin(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(count))
    }
}

impl Drop for Working {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

fn endless(working: Working) -> impl Stream<Item = Result<Bytes, Infallible>> {
    stream::unfold(working, |working| async move {
        tokio::task::yield_now().await;
        Some((Ok(Bytes::from_static(&[b'x'; 1024])), working))
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_leaves_takes_its_request_with_it() {
    let working = Arc::new(AtomicUsize::new(0));
    let (never, streaming) = (Arc::clone(&working), Arc::clone(&working));
    let router = Router::new()
        .route(
            "/never",
            on_get(async move || {
                let _working = Working::begin(&never);
                std::future::pending::<&'static str>().await
            }),
        )
        .route(
            "/endless",
            on_get(async move || Body::from_stream(endless(Working::begin(&streaming)))),
        );
    let program = Program::start(router, Limits::default()).await;
    let client = client(&[program.address], ClientLimits { idle_ms: 100, ..Default::default() });
    for round in 0..20 {
        let mut waiting: Vec<_> = (0..25).map(|_| Box::pin(get(&client, "/never"))).collect();
        for one in &mut waiting {
            assert!(futures_util::poll!(one).is_pending());
        }
        let mut reading = Vec::new();
        for _ in 0..5 {
            let request = Request::get("/endless").body(Body::empty()).unwrap();
            let answer = bounded(client.clone().oneshot(request)).await.unwrap();
            let mut body = answer.into_body().into_data_stream();
            assert!(bounded(body.next()).await.unwrap().is_ok());
            reading.push(body);
        }
        if round % 2 == 0 {
            until("they are all being worked on", || {
                for one in &mut waiting {
                    // Only asked on: none of them will ever be answered.
                    let _ = futures_util::FutureExt::now_or_never(one);
                }
                working.load(Ordering::SeqCst) == 30
            })
            .await;
        }
        drop((waiting, reading));
    }
    until("nothing is worked on", || working.load(Ordering::SeqCst) == 0).await;
    // Nothing holds a connection open that is not idle, and those go when they have idled.
    assert!(bounded(program.stopped()).await.finished);
}
