//! The CA's API for bastions: HTTP/1.1 on a channel's stream ([`record::api`]).

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, RawQuery, State};
use axum::http::StatusCode;
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
use tokio::sync::watch;

use crate::desk::{Desk, Refused, Status};

/// Most bytes of one request's head.
const HEAD_BYTES: usize = 16 << 10;

/// Who is calling is what the connection proved.
#[derive(Clone)]
struct Calling {
    desk: Arc<Desk>,
    bastion: BastionName,
}

/// Answers the calls on one channel until it ends, or the CA stops.
pub(super) async fn serve(
    desk: Arc<Desk>,
    bastion: BastionName,
    mut stopping: watch::Receiver<bool>,
    channel: Channel<Msg>,
) {
    let calling = Calling {
        desk,
        bastion: bastion.clone(),
    };
    let service = TowerToHyperService::new(router(calling));
    let io = TokioIo::new(channel.into_stream());
    let connection = http1::Builder::new()
        .max_buf_size(HEAD_BYTES)
        // The end of what a client sends is not the end of what it reads.
        .half_close(true)
        .serve_connection(io, service);
    tokio::select! {
        ended = connection => if let Err(e) = ended {
            tracing::debug!(%bastion, error = %e, "a channel of the API ended");
        },
        _ = stopping.wait_for(|stopping| *stopping) => {}
    }
}

fn router(calling: Calling) -> Router {
    Router::new()
        .route(path::TRUST, get(trust))
        .route(path::DOORS, post(door))
        .route(path::SESSIONS, post(begin))
        .route(path::SESSIONS_END, post(end))
        .route(path::ENDED, get(ended))
        .layer(DefaultBodyLimit::max(limits::API_BODY_BYTES))
        .with_state(calling)
}

async fn trust(State(calling): State<Calling>) -> Response {
    Json(calling.desk.trust()).into_response()
}

async fn door(State(calling): State<Calling>, body: Bytes) -> Response {
    match serde_json::from_slice(&body) {
        Ok(ask) => answer(
            "door",
            &calling,
            calling.desk.door(&calling.bastion, ask).await,
        ),
        Err(e) => unreadable(&e),
    }
}

async fn begin(State(calling): State<Calling>, body: Bytes) -> Response {
    match serde_json::from_slice(&body) {
        Ok(ask) => {
            let given = calling.desk.open_session(&calling.bastion, ask).await;
            answer("session", &calling, given)
        }
        Err(e) => unreadable(&e),
    }
}

async fn end(State(calling): State<Calling>, body: Bytes) -> Response {
    match serde_json::from_slice(&body) {
        Ok(end) => {
            let done = calling.desk.end_session(&calling.bastion, end).await;
            answer("session's end", &calling, done)
        }
        Err(e) => unreadable(&e),
    }
}

async fn ended(State(calling): State<Calling>, RawQuery(query): RawQuery) -> Response {
    let after = query
        .as_deref()
        .and_then(|query| query.strip_prefix("after="))
        .and_then(|after| after.parse().ok());
    match after {
        Some(after) => Json(calling.desk.ended(after).await).into_response(),
        None => malformed("the query is not after=N"),
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

fn malformed(why: &str) -> Response {
    let why = why.to_owned();
    (StatusCode::BAD_REQUEST, Json(Refusal { why })).into_response()
}
