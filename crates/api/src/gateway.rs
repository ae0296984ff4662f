//! The way from the API into the node that runs a VM or holds an image.

use std::fs::File;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use novacron_model::catalogue::Catalogue;
use novacron_model::figures::{Hour, Reading};
use novacron_model::image::Uploaded;
use novacron_model::request::{ExecRequest, ExecResult, LogSource};
use novacron_model::task::Live;
use novacron_model::volume::DiskFormat;
use novacron_model::{Image, Node, Object, Result, Time, Vm, Volume};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;
use uuid::Uuid;

/// A byte stream into a guest.
pub trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

pub type ByteStream = BoxStream<'static, Result<Bytes>>;

/// A file on its way out.
pub struct Content {
    /// In bytes.
    pub size: u64,
    pub bytes: ByteStream,
}

#[async_trait]
pub trait Gateway: Send + Sync + 'static {
    /// The live serial line; first come up to `replay` bytes of what was printed before.
    async fn serial(&self, vm: &Object<Vm>, replay: u64) -> Result<Box<dyn Duplex>>;

    /// An RFB connection.
    async fn screen(&self, vm: &Object<Vm>) -> Result<Box<dyn Duplex>>;

    /// The newest `tail` bytes, then, if `follow`, what comes until the reader goes.
    async fn log(
        &self,
        vm: &Object<Vm>,
        source: LogSource,
        tail: u64,
        follow: bool,
    ) -> Result<ByteStream>;

    /// The log of a node's daemon since its start, as [`Gateway::log`] gives a VM's.
    async fn node_log(&self, node: &Object<Node>, tail: u64, follow: bool) -> Result<ByteStream>;

    async fn exec(&self, vm: &Object<Vm>, exec: ExecRequest) -> Result<ExecResult>;

    /// Writes a file in the guest, whole.
    async fn push(&self, vm: &Object<Vm>, path: &str, content: ByteStream) -> Result<()>;

    async fn pull(&self, vm: &Object<Vm>, path: &str) -> Result<ByteStream>;

    /// One file with what a volume holds, or one of its snapshots.
    async fn export_volume(
        &self,
        volume: &Object<Volume>,
        snapshot: Option<&str>,
        into: DiskFormat,
    ) -> Result<Content>;

    /// A whole VM, or what one of its snapshots holds, as a bundle that can be imported.
    async fn export_vm(&self, vm: &Object<Vm>, snapshot: Option<&str>) -> Result<Content>;

    /// Takes the content of an image whose source is `upload`; returns once all bytes have
    /// arrived. The import goes on as the image's task.
    async fn upload(
        &self,
        image: &Object<Image>,
        length: Option<u64>,
        content: ByteStream,
    ) -> Result<()>;

    /// Takes what a client on this machine has opened as the content of an image; returns once the
    /// import has ended, well or not, which the image's task tells.
    async fn upload_file(&self, image: &Object<Image>, file: File) -> Result<()>;

    /// Takes a part of the content, which begins at `offset` of `total` bytes. What has come stays
    /// when the connection breaks.
    async fn upload_part(
        &self,
        image: &Object<Image>,
        offset: u64,
        total: u64,
        content: ByteStream,
    ) -> Result<Uploaded>;

    /// How far an image's upload has come.
    async fn uploaded(&self, image: &Object<Image>) -> Result<Uploaded>;

    /// The images that can be imported by name.
    async fn catalogue(&self) -> Result<Catalogue>;

    /// What a VM has used since a moment within the last hour; nothing is known of one that did not
    /// run where it is placed.
    async fn vm_hour(&self, vm: &Object<Vm>, from: Time) -> Result<Hour>;

    /// What each of these VMs uses, in their order; nothing is known of one whose node cannot be
    /// asked.
    async fn vm_readings(&self, vms: &[Object<Vm>]) -> Vec<Reading>;

    async fn node_hour(&self, node: &Object<Node>, from: Time) -> Result<Hour>;

    async fn node_readings(&self, nodes: &[Object<Node>]) -> Vec<Reading>;

    /// Progress of what runs now, by the uid of the object worked on.
    fn live(&self, target: Uuid) -> Option<Live>;

    /// Raised with every change of any progress.
    fn live_changes(&self) -> watch::Receiver<u64>;
}
