//! The content of an image, streamed to the node that imports it.

use axum::body::Body;
use axum::http::{StatusCode, header};
use axum::response::Response;
use http_body::Body as _;
use novacron_control::index;
use novacron_model::{Code, Error, Image, Object, Task};
use novacron_store::{Snapshot, object};

use super::call::Call;
use super::guests::inward;
use super::objects;
use crate::problem::Answer;
use crate::resource::{Typed, scope_uid};

pub async fn upload(call: Call, body: Body) -> Answer<Response> {
    call.params(&[])?;
    Typed::<Image>::OPERATIONS.check_name(&call.name)?;
    let at = call.api.store.snapshot();
    let scope = scope_uid(&at, call.project())?;
    let image = object::expect::<Image>(&at, scope, &call.name)?;
    if body.is_end_stream() {
        let error = Error::new(Code::Invalid, "the request needs the image as its body");
        return Err(error.into());
    }
    let length = call.headers.get(header::CONTENT_LENGTH);
    let length = length.and_then(|value| value.to_str().ok()?.parse().ok());
    call.api.gateway.upload(&image, length, inward(body)).await?;
    let task = import_task(&call.api.store.snapshot(), &image)?;
    let shown = objects::task(&call.api, call.project(), task.name())?;
    Ok(objects::object(StatusCode::ACCEPTED, &shown))
}

/// The newest task about an image: its import.
fn import_task(at: &Snapshot, image: &Object<Image>) -> Answer<Object<Task>> {
    let tasks = object::indexed::<Task>(at, index::TARGET, &image.meta.uid.to_string());
    let none = || Error::conflict(format!("image \"{}\" has no task any more", image.name()));
    Ok(tasks.into_iter().next_back().ok_or_else(none)?)
}
