//! The CA's API for bastions: HTTP/1.1 on a channel's stream ([`record::api`]).

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, FromRequestParts, RawQuery, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use config::limits;
use config::words::BastionName;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use record::api::{Refusal, path};
use russh::Channel;
use russh::server::Msg;
use serde::Serialize;
use ssh_key::PublicKey;
use tokio::sync::watch;

use crate::desk::{Desk, Refused, Status};

/// Most bytes of one request's head.
const HEAD_BYTES: usize = 16 << 10;

/// Who is calling: each call asks anew whose the key is that the connection proved, for a reload may have
/// replaced it.
#[derive(Clone)]
struct Caller {
    desk: Arc<Desk>,
    key: PublicKey,
}

/// A call, and the bastion that makes it.
#[derive(Clone)]
struct Calling {
    desk: Arc<Desk>,
    bastion: BastionName,
}

impl FromRequestParts<Caller> for Calling {
    type Rejection = Response;

    async fn from_request_parts(_: &mut Parts, caller: &Caller) -> Result<Self, Response> {
        let desk = Arc::clone(&caller.desk);
        match desk.bastion(&caller.key) {
            Some(bastion) => Ok(Self { desk, bastion }),
            None => Err(stranger()),
        }
    }
}

/// Answers the calls on one channel until it ends, or the CA stops.
pub(super) async fn serve(
    desk: Arc<Desk>,
    key: PublicKey,
    mut stopping: watch::Receiver<bool>,
    channel: Channel<Msg>,
) {
    let service = TowerToHyperService::new(router(Caller { desk, key }));
    let io = TokioIo::new(channel.into_stream());
    let connection = http1::Builder::new()
        .max_buf_size(HEAD_BYTES)
        // The end of what a client sends is not the end of what it reads.
        .half_close(true)
        .serve_connection(io, service);
    tokio::select! {
        ended = connection => if let Err(e) = ended {
            tracing::debug!(error = %e, "a channel of the API ended");
        },
        _ = stopping.wait_for(|stopping| *stopping) => {}
    }
}

fn router(caller: Caller) -> Router {
    Router::new()
        .route(path::TRUST, get(trust))
        .route(path::DOORS, post(door))
        .route(path::SESSIONS, post(begin))
        .route(path::SESSIONS_END, post(end))
        .route(path::REACH, post(reach))
        .route(path::REACH_TAKE, post(take))
        .route(path::REVIEW_LIST, post(list))
        .route(path::REVIEW_MAY, post(may))
        .route(path::REVIEW_READ, post(read))
        .route(path::ALERTS, post(alert))
        .route(path::KEPT, post(kept))
        .route(path::EXPIRE, post(expire))
        .route(path::ENDED, get(ended))
        .layer(DefaultBodyLimit::max(limits::API_BODY_BYTES))
        .with_state(caller)
}

async fn trust(calling: Calling) -> Response {
    Json(calling.desk.trust()).into_response()
}

async fn door(calling: Calling, body: Bytes) -> Response {
    match serde_json::from_slice(&body) {
        Ok(ask) => answer(
            "door",
            &calling,
            calling.desk.door(&calling.bastion, ask).await,
        ),
        Err(e) => unreadable(&e),
    }
}

async fn begin(calling: Calling, body: Bytes) -> Response {
    match serde_json::from_slice(&body) {
        Ok(ask) => {
            let given = calling.desk.open_session(&calling.bastion, ask).await;
            answer("session", &calling, given)
        }
        Err(e) => unreadable(&e),
    }
}

async fn end(calling: Calling, body: Bytes) -> Response {
    match serde_json::from_slice(&body) {
        Ok(end) => {
            let done = calling.desk.end_session(&calling.bastion, end).await;
            answer("session's end", &calling, done)
        }
        Err(e) => unreadable(&e),
    }
}

async fn reach(calling: Calling, body: Bytes) -> Response {
    match serde_json::from_slice(&body) {
        Ok(ask) => {
            let reach = calling.desk.reach(&calling.bastion, ask).await;
            answer("choice", &calling, reach)
        }
        Err(e) => unreadable(&e),
    }
}

async fn take(calling: Calling, body: Bytes) -> Response {
    match serde_json::from_slice(&body) {
        Ok(ask) => {
            let taken = calling.desk.take(&calling.bastion, ask).await;
            answer("choice", &calling, taken)
        }
        Err(e) => unreadable(&e),
    }
}

async fn list(calling: Calling, body: Bytes) -> Response {
    match serde_json::from_slice(&body) {
        Ok(ask) => {
            let listing = calling.desk.list_for_review(&calling.bastion, ask).await;
            answer("review", &calling, listing)
        }
        Err(e) => unreadable(&e),
    }
}

async fn may(calling: Calling, body: Bytes) -> Response {
    match serde_json::from_slice(&body) {
        Ok(ask) => {
            let done = calling.desk.may_review(&calling.bastion, ask).await;
            answer("review", &calling, done)
        }
        Err(e) => unreadable(&e),
    }
}

async fn read(calling: Calling, body: Bytes) -> Response {
    match serde_json::from_slice(&body) {
        Ok(ask) => {
            let given = calling.desk.read_for_review(&calling.bastion, ask).await;
            answer("review", &calling, given)
        }
        Err(e) => unreadable(&e),
    }
}

async fn alert(calling: Calling, body: Bytes) -> Response {
    match serde_json::from_slice(&body) {
        Ok(alert) => {
            let done = calling.desk.session_alert(&calling.bastion, alert).await;
            answer("alert", &calling, done)
        }
        Err(e) => unreadable(&e),
    }
}

async fn kept(calling: Calling, body: Bytes) -> Response {
    match serde_json::from_slice(&body) {
        Ok(ask) => {
            let given = calling.desk.kept(&calling.bastion, ask).await;
            answer("recordings", &calling, given)
        }
        Err(e) => unreadable(&e),
    }
}

async fn expire(calling: Calling, body: Bytes) -> Response {
    match serde_json::from_slice(&body) {
        Ok(ask) => {
            let done = calling.desk.expire(&calling.bastion, ask).await;
            answer("recording's removal", &calling, done)
        }
        Err(e) => unreadable(&e),
    }
}

async fn ended(State(caller): State<Caller>, RawQuery(query): RawQuery) -> Response {
    // A bastion that is shut out is told so, and nothing else.
    let Some(bastion) = caller.desk.bastion_at_the_door(&caller.key) else {
        return stranger();
    };
    let asked = query.as_deref().and_then(|query| {
        let (after, keys) = query.strip_prefix("after=")?.split_once("&keys=")?;
        Some((after.parse().ok()?, keys.parse().ok()?))
    });
    match asked {
        Some((after, keys)) => {
            let news = caller.desk.news(&bastion, &caller.key, after, keys);
            Json(news.await).into_response()
        }
        None => malformed("the query is not after=N&keys=K"),
    }
}

fn unreadable(e: &serde_json::Error) -> Response {
    malformed(&format!("the message does not parse: {e}"))
}

fn answer<T: Serialize>(call: &str, calling: &Calling, result: Result<T, Refused>) -> Response {
    match result {
        Ok(value) => Json(value).into_response(),
        Err(refused) => {
            let why = refused.to_string();
            tracing::warn!(bastion = %calling.bastion, call, %why, "refused");
            let status = match refused.status() {
                Status::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
                _ => StatusCode::FORBIDDEN,
            };
            (status, Json(Refusal { why })).into_response()
        }
    }
}

fn stranger() -> Response {
    let why = "this key is not a bastion's any more".to_owned();
    (StatusCode::FORBIDDEN, Json(Refusal { why })).into_response()
}

fn malformed(why: &str) -> Response {
    let why = why.to_owned();
    (StatusCode::BAD_REQUEST, Json(Refusal { why })).into_response()
}
