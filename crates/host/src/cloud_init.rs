//! The `cidata` disk from which cloud-init's NoCloud data source reads.
//!
//! | file | holds |
//! |---|---|
//! | `meta-data` | instance id, host name and ssh keys, over them what the user gives |
//! | `user-data` | what the user gives, untouched |
//! | `vendor-data` | the password, where there is one |
//! | `network-config` | what the user gives; without it cloud-init asks DHCP |
//!
//! cloud-init itself merges vendor data below user data, so the user's words win wherever they
//! speak and our words count wherever they are silent, whatever form the user data has.
//!
//! The instance id is the VM's uid: a guest is told once, at its first boot, and a change of the
//! settings does not make it run its scripts and make its host keys again.

pub mod iso;

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use novacron_model::vm::CloudInit;
use novacron_model::{Error, Result};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::storage::fault;

/// cloud-init finds the disk by this label.
const LABEL: &str = "cidata";
/// More than anyone writes; the whole disk is put together in memory.
const TEXT_MAX: usize = 4 << 20;

/// Makes the disk's bytes; the same ones for the same input. `password` is `settings.password`,
/// opened.
pub fn build(
    vm: Uuid,
    name: &str,
    settings: &CloudInit,
    password: Option<&str>,
) -> Result<Vec<u8>> {
    let meta_data = meta_data(vm, name, settings)?;
    // NoCloud wants the file, and is silent about an empty one.
    let user_data = settings.user_data.as_deref().unwrap_or_default();
    let vendor_data = vendor_data(password, !settings.ssh_keys.is_empty())?;
    let mut files = vec![("meta-data", meta_data.as_bytes()), ("user-data", user_data.as_bytes())];
    if let Some(vendor_data) = &vendor_data {
        files.push(("vendor-data", vendor_data.as_bytes()));
    }
    if let Some(network) = &settings.network_config {
        mapping("network_config", network)?;
        files.push(("network-config", network.as_bytes()));
    }
    if files.iter().map(|(_, text)| text.len()).sum::<usize>() > TEXT_MAX {
        return Err(invalid("user_data", "the cloud-init data is larger than 4 MiB"));
    }
    Ok(iso::image(LABEL, &files))
}

/// Writes the disk, readable by this user only. A running guest keeps the one it has open.
pub fn write(path: &Path, disk: &[u8]) -> Result<()> {
    let part = path.with_extension("part");
    let written = || -> std::io::Result<()> {
        let mut options = OpenOptions::new();
        let mut file: File =
            options.write(true).create(true).truncate(true).mode(0o600).open(&part)?;
        file.write_all(disk)?;
        file.sync_all()?;
        fs::rename(&part, path)
    };
    written().map_err(|error| {
        let _ = fs::remove_file(&part);
        fault::from_io(path, "write", &error)
    })
}

fn meta_data(vm: Uuid, name: &str, settings: &CloudInit) -> Result<String> {
    let hostname = settings.hostname.as_deref().unwrap_or(name);
    check_hostname(hostname)?;
    settings.ssh_keys.iter().try_for_each(|key| check_key(key))?;
    let mut all = Map::new();
    all.insert("instance-id".into(), json!(vm));
    all.insert("local-hostname".into(), json!(hostname));
    if !settings.ssh_keys.is_empty() {
        let keys: Vec<_> = settings.ssh_keys.iter().map(|key| key.trim()).collect();
        all.insert("public-keys".into(), json!(keys));
    }
    if let Some(more) = &settings.meta_data {
        all.extend(mapping("meta_data", more)?);
    }
    yaml(&Value::Object(all))
}

/// With a key, logins by ssh keep to it; without one, the password is the only way in.
fn vendor_data(password: Option<&str>, has_key: bool) -> Result<Option<String>> {
    let Some(password) = password else { return Ok(None) };
    if password.is_empty() || password.contains(['\n', '\r', '\0']) {
        return Err(invalid("password", "the password is empty or not one line"));
    }
    let mut all = json!({"password": password, "chpasswd": {"expire": false}});
    if !has_key {
        all["ssh_pwauth"] = json!(true);
    }
    Ok(Some(format!("#cloud-config\n{}", yaml(&all)?)))
}

fn yaml(value: &Value) -> Result<String> {
    serde_norway::to_string(value)
        .map_err(|error| Error::internal(format!("cloud-init data: {error}")))
}

fn mapping(field: &str, text: &str) -> Result<Map<String, Value>> {
    match serde_norway::from_str(text) {
        Ok(Value::Object(map)) => Ok(map),
        Ok(Value::Null) => Ok(Map::new()),
        Ok(_) => Err(invalid(field, "it has to be a YAML mapping")),
        Err(error) => Err(invalid(field, &format!("it is not YAML: {error}"))),
    }
}

fn check_hostname(name: &str) -> Result<()> {
    let label = |label: &str| {
        let inner = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        (1..=63).contains(&label.len())
            && label.bytes().all(inner)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    if name.len() <= 253 && name.split('.').all(label) {
        return Ok(());
    }
    let shown = name.escape_default().take(80).collect::<String>();
    Err(invalid("hostname", &format!("\"{shown}\" is not a host name")))
}

fn check_key(key: &str) -> Result<()> {
    let key = key.trim();
    let words = key.split_ascii_whitespace().count();
    if words >= 2 && !key.contains(char::is_control) && !key.starts_with('#') {
        return Ok(());
    }
    let shown = key.escape_default().take(40).collect::<String>();
    Err(invalid("ssh_keys", &format!("\"{shown}\" is not an ssh public key"))
        .hint("a key is one line such as `ssh-ed25519 AAAA… name`"))
}

fn invalid(field: &str, message: &str) -> Error {
    Error::invalid(format!("spec.cloud_init.{field}"), message)
}
