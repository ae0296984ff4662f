//! Images: what volumes and VMs start from. An image never changes once it is ready.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::error::Error;
use crate::meta::{Kind, Meta, Scope};
use crate::name::Name;
use crate::units::{Bytes, Time};
use crate::volume::Location;

mod machine;

pub use machine::{ImageDisk, ImageMachine};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Image;

impl Kind for Image {
    const KIND: &'static str = "image";
    const PLURAL: &'static str = "images";
    const SCOPE: Scope = Scope::Project;
    type Spec = ImageSpec;
    type Status = ImageStatus;

    fn summarize(meta: &Meta, _spec: &ImageSpec, status: &mut ImageStatus) {
        (status.state, status.reason) = match &status.content {
            _ if meta.deleting.is_some() => (ImageState::Deleting, None),
            None => (ImageState::Importing, None),
            Some(ImageContent { error: Some(error), .. }) => {
                (ImageState::Failed, Some(error.message.clone()))
            }
            Some(_) => (ImageState::Ready, None),
        };
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ImageSpec {
    pub source: ImageSource,
    /// Lower-case hex SHA-256 that the source must have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(pattern = "^[0-9a-f]{64}$")]
    pub sha256: Option<String>,
    #[serde(default = "crate::volume::default_pool")]
    pub pool: Name,
    /// Free text such as `Debian 12`.
    #[serde(default)]
    pub os: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ImageSource {
    /// The node fetches it: `http` or `https`.
    Url(String),
    /// An entry of the catalogue, such as `debian/12`: the node fetches it, and its publisher's
    /// checksum.
    Catalogue(String),
    /// A client sends it: `PUT …/images/{name}/content`.
    Upload {},
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ImageStatus {
    /// Derived from the rest.
    #[serde(default)]
    pub state: ImageState,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Writer: the agent of `location.node`.
    #[serde(default)]
    pub content: Option<ImageContent>,
    /// Which node imports and holds it. Writer: the image controller, once.
    #[serde(default)]
    pub location: Option<Location>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ImageState {
    #[default]
    Importing,
    Ready,
    Failed,
    Deleting,
}

/// How far an upload has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Uploaded {
    /// Bytes that have arrived: the next part begins here.
    pub offset: Bytes,
    /// All of them have, and the import goes on.
    pub complete: bool,
}

/// What the import found; complete when `ready` is set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ImageContent {
    pub kind: ImageKind,
    /// What the source was; absent on an image of an older version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<ImageFormat>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ready: Option<Time>,
    /// SHA-256 of the source as it arrived. It may follow a moment after `ready`: absent until it is
    /// known.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub sha256: String,
    /// Bytes of the source as it arrived.
    #[serde(default)]
    pub size: Bytes,
    /// Size of the disk that a guest sees, of several the first; zero for a bundle without disk and
    /// for an ISO.
    #[serde(default)]
    pub virtual_size: Bytes,
    /// Room that its files take in the pool; absent on an image of an older version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stored: Option<Bytes>,
    /// Of a whole VM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub machine: Option<ImageMachine>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Error>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ImageKind {
    /// A disk that its firmware boots.
    Disk,
    /// A kernel with initrd, command line and, where it has one, a disk: booted directly. Or a whole
    /// VM, which then has a `machine`.
    Bundle,
    /// A CD or DVD (ISO 9660), kept as it came; no volume starts from it.
    Iso,
}

/// What a source can be, by its first bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ImageFormat {
    Raw,
    Qcow2,
    Vmdk,
    Vhdx,
    Iso,
    /// A tar archive with a manifest of ours.
    Bundle,
}
