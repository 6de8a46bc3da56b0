//! A lean HTTP client: one kept-alive connection, one request at a time. The driver shares the
//! machine with what it drives, so it must cost little.

use std::net::SocketAddr;

use bytes::Bytes;
use http::{Method, Request, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

/// What can go wrong with a request.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

/// A connection.
#[derive(Debug)]
pub struct Client {
    address: SocketAddr,
    sender: SendRequest<Full<Bytes>>,
}

/// An answer.
#[derive(Debug)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its body.
    pub body: Bytes,
}

impl Answer {
    /// The body as JSON; null if it is not.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

impl Client {
    /// Connects.
    ///
    /// # Errors
    /// When nobody listens.
    pub async fn connect(address: SocketAddr) -> Result<Self, Failure> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        platform::tasks::spawn("connection", async move { drop(connection.await) });
        Ok(Self { address, sender })
    }

    /// Sends a request and reads the whole answer. Connects again if the server hung up.
    ///
    /// # Errors
    /// When the connection breaks.
    pub async fn send(
        &mut self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<String>,
    ) -> Result<Answer, Failure> {
        let json = [("content-type", "application/json")];
        let kind = if body.is_some() { &json[..] } else { &[] };
        let headers: Vec<(&str, &str)> = kind.iter().chain(headers).copied().collect();
        self.send_raw(method, path, &headers, body.unwrap_or_default()).await
    }

    /// As [`Client::send`], with exactly these headers.
    ///
    /// # Errors
    /// When the connection breaks.
    pub async fn send_raw(
        &mut self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: String,
    ) -> Result<Answer, Failure> {
        if self.sender.ready().await.is_err() {
            *self = Self::connect(self.address).await?;
        }
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, self.address.to_string());
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::from(body))?;
        let answer = match self.sender.try_send_request(request).await {
            Ok(answer) => answer,
            Err(mut error) => match error.take_message() {
                // It was not sent: the server hung up in the same moment.
                Some(request) => {
                    *self = Self::connect(self.address).await?;
                    self.sender.send_request(request).await?
                }
                None => return Err(error.into_error().into()),
            },
        };
        let (head, body) = answer.into_parts();
        let body = body.collect().await?.to_bytes();
        Ok(Answer { status: head.status, body })
    }
}
