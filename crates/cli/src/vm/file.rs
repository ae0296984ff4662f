//! `file push` and `file pull`: whole files into and out of a guest.

use std::path::{Path, PathBuf};

use clap::Subcommand;
use http::Method;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use novacron_model::request::is_guest_path;

use super::NOUN;
use crate::client::Call;
use crate::client::body::{self, open};
use crate::client::path::query;
use crate::download;
use crate::failure::Result;
use crate::session::Session;

#[derive(Debug, Clone, Subcommand)]
pub enum FileCommand {
    /// Copy a file of this machine into the guest
    Push {
        /// File here, or - for stdin
        source: PathBuf,
        /// Where in the guest
        #[arg(value_name = "VM:PATH", value_parser = guest_path)]
        target: GuestPath,
    },
    /// Copy a file of the guest to this machine
    Pull {
        /// Which file in the guest
        #[arg(value_name = "VM:PATH", value_parser = guest_path)]
        source: GuestPath,
        /// File or directory here, or - for stdout
        #[arg(default_value = ".")]
        target: PathBuf,
    },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GuestPath {
    vm: String,
    path: String,
}

fn guest_path(text: &str) -> Result<GuestPath, String> {
    match text.split_once(':') {
        Some((vm, path)) if !vm.is_empty() && is_guest_path(path) => {
            Ok(GuestPath { vm: vm.to_owned(), path: path.to_owned() })
        }
        _ => Err(r"write VM:PATH with an absolute path, such as web:/etc/hosts or win:C:\hosts"
            .to_owned()),
    }
}

pub async fn run(session: &Session, command: FileCommand) -> Result<()> {
    match command {
        FileCommand::Push { source, target } => push(session, &source, &target).await,
        FileCommand::Pull { source, target } => pull(session, &source, &target).await,
    }
}

async fn push(session: &Session, source: &Path, target: &GuestPath) -> Result<()> {
    let mut call = Call::new(Method::PUT, address(session, target))
        .header(CONTENT_TYPE, "application/octet-stream");
    if source == Path::new("-") {
        call = call.body(body::reading(tokio::io::stdin()));
    } else {
        let (file, length) = open(source).await?;
        call = call.header(CONTENT_LENGTH, length.to_string()).body(body::reading(file));
    }
    session.client.call(call).await?;
    Ok(())
}

async fn pull(session: &Session, source: &GuestPath, target: &Path) -> Result<()> {
    let to_stdout = target == Path::new("-");
    let target = if to_stdout { target.to_owned() } else { destination(source, target) };
    download::save(session, address(session, source), &target, None).await
}

fn destination(source: &GuestPath, target: &Path) -> PathBuf {
    if !target.is_dir() {
        return target.to_owned();
    }
    // In a path that begins with `/` a backslash is a letter like any other.
    let ends = if source.path.starts_with('/') { &['/'][..] } else { &['/', '\\'] };
    let name = source.path.trim_end_matches(ends).rsplit(ends).next().unwrap_or_default();
    target.join(name)
}

fn address(session: &Session, file: &GuestPath) -> String {
    NOUN.path(&session.project, &file.vm) + "/files" + &query([("path", file.path.as_str())])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guest_path_is_absolute() {
        let read = guest_path("web:/etc/a:b").unwrap();
        assert_eq!((read.vm.as_str(), read.path.as_str()), ("web", "/etc/a:b"));
        let read = guest_path(r"win:C:\Users\a b.txt").unwrap();
        assert_eq!((read.vm.as_str(), read.path.as_str()), ("win", r"C:\Users\a b.txt"));
        for bad in ["web", "web:", "web:etc", ":/etc", "/etc/a", r"C:\a", "win:C:a"] {
            assert!(guest_path(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_directory_takes_the_name_that_the_file_has() {
        let directory = tempfile::tempdir().unwrap();
        let source = guest_path("web:/etc/hosts").unwrap();
        assert_eq!(destination(&source, directory.path()), directory.path().join("hosts"));
        assert_eq!(destination(&source, Path::new("/x/y")), Path::new("/x/y"));
        for source in [r"win:C:\Users\b.txt", "win:C:/Users/b.txt", "win:C:/b.txt/"] {
            let source = guest_path(source).unwrap();
            assert_eq!(destination(&source, directory.path()), directory.path().join("b.txt"));
        }
        let source = guest_path(r"web:/tmp/a\b").unwrap();
        assert_eq!(destination(&source, directory.path()), directory.path().join(r"a\b"));
    }
}
