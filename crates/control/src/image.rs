//! Images: imported once onto one node, never changed, deleted once nothing uses them.

use novacron_model::catalogue;
use novacron_model::image::{ImageSource, ImageSpec, ImageStatus};
use novacron_model::request::Draft;
use novacron_model::task::Action;
use novacron_model::{Error, Image, Object, Result};
use novacron_store::{Precondition, Snapshot, Txn, object};

use crate::admission::{
    Admitted, DeleteOptions, Request, Resource, check_alive, fixed, kept_by_project, named,
};
use crate::index::{self, row};
use crate::plan::Plan;
use crate::{placing, reference, task};

const URL_BYTES_MAX: usize = 2048;
const OS_BYTES_MAX: usize = 128;

impl Resource for Image {
    fn create(request: &mut Request<'_>, draft: Draft<Self>) -> Result<Admitted> {
        check(&draft.spec)?;
        let mut txn = Txn::new();
        reference::pool(request.at, &mut txn, &draft.spec.pool, "spec.pool")?;
        let meta = request.new_meta::<Self>(&mut txn, draft.meta)?;
        let image = Object::<Self> { meta, spec: draft.spec, status: ImageStatus::default() };
        let rows = vec![kept_by_project(&request.home()?), row(index::POOL, &image.spec.pool)];
        request.put_new(&mut txn, &image, rows)?;
        let task = task::begin(request, &mut txn, Action::Import, &image, 0)?;
        Ok(Admitted::task(txn, task))
    }

    fn update(
        request: &mut Request<'_>,
        old: &Object<Self>,
        new: Object<Self>,
    ) -> Result<Admitted> {
        check_alive(old)?;
        let changed = [
            ("spec.source", old.spec.source != new.spec.source),
            ("spec.sha256", old.spec.sha256 != new.spec.sha256),
            ("spec.pool", old.spec.pool != new.spec.pool),
        ];
        if let Some((field, _)) = changed.iter().find(|(_, changed)| *changed) {
            return Err(fixed(field).hint("import another image"));
        }
        check(&new.spec)?;
        let mut txn = Txn::new();
        request.put_changed(&mut txn, old, &new, None)?;
        Ok(Admitted::done(txn))
    }

    fn delete(
        request: &mut Request<'_>,
        old: &Object<Self>,
        _options: DeleteOptions,
    ) -> Result<Admitted> {
        if old.meta.deleting.is_some() {
            return task::again(request, old, Action::Delete);
        }
        let users = request.at.indexed(index::IMAGE, &old.meta.uid.to_string(), "");
        if !users.is_empty() {
            let (name, list) = (old.name(), named(&users));
            return Err(Error::conflict(format!("image \"{name}\" is used by {list}"))
                .hint("delete them first"));
        }
        let (key, value) = row(index::IMAGE, &old.meta.uid);
        let mut txn = Txn::new().require(Precondition::NoIndex(key, value));
        let task = placing::begin_deletion(request, &mut txn, old)?;
        Ok(Admitted::task(txn, task))
    }
}

/// Gives a new image its node; removes a deleted one when its file is gone.
pub(crate) fn plan(at: &Snapshot, family: &str) -> Result<Plan> {
    let Some(image) = object::by_key::<Image>(at, family)? else { return Ok(Plan::default()) };
    let located = image.status.location.is_some();
    if image.meta.deleting.is_some() {
        let txn = placing::finalise(at, &image, family, located)?;
        return Ok(txn.map(Plan::commit).unwrap_or_default());
    }
    if located {
        return Ok(Plan::default());
    }
    let Some(node) = placing::emptiest_node(at) else { return Ok(Plan::default()) };
    let mut txn = Txn::new();
    placing::locate(&mut txn, at, &image, family, &node)?;
    Ok(Plan::commit(txn))
}

fn check(spec: &ImageSpec) -> Result<()> {
    match &spec.source {
        ImageSource::Url(url) => check_url(url)?,
        ImageSource::Catalogue(name) if !catalogue::is_entry(name) => {
            let message = format!("\"{name}\" is no name of a catalogue's entry");
            return Err(Error::invalid("spec.source.catalogue", message)
                .hint("such names are debian/12 and ubuntu/24.04"));
        }
        ImageSource::Catalogue(_) | ImageSource::Upload {} => (),
    }
    let hex = |text: &str| text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    if spec.sha256.as_deref().is_some_and(|sum| sum.len() != 64 || !hex(sum)) {
        return Err(Error::invalid("spec.sha256", "a SHA-256 has 64 lower-case hex digits"));
    }
    if spec.os.len() > OS_BYTES_MAX || spec.os.chars().any(char::is_control) {
        let message = format!("spec.os is one line of up to {OS_BYTES_MAX} bytes");
        return Err(Error::invalid("spec.os", message));
    }
    Ok(())
}

fn check_url(url: &str) -> Result<()> {
    let field = "spec.source.url";
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    let Some(rest) = rest else {
        return Err(Error::invalid(field, "the URL of an image starts with http:// or https://"));
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let odd = |c: char| c.is_control() || c.is_whitespace();
    if authority.is_empty() || url.chars().any(odd) || url.len() > URL_BYTES_MAX {
        return Err(Error::invalid(field, "this is not a URL that an image can be fetched from"));
    }
    if authority.contains('@') {
        return Err(Error::invalid(field, "a URL with a user name or password is not taken")
            .hint("download the image and import the file"));
    }
    Ok(())
}
