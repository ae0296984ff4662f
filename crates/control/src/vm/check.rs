//! Checks of a VM's spec that look at no other object but nodes; secrets are sealed here.

use novacron_model::vm::{CloudInit, VmSpec};
use novacron_model::{Bytes, Error, MilliCpu, Node, Object, Result, Secret};
use novacron_store::{Snapshot, object};

use crate::admission::Request;
use crate::capacity::{self, Capacity};

const MEMORY_MIN: Bytes = Bytes::mib(16);
const CPUS_MAX: u32 = 1024;
const TEXT_BYTES_MAX: usize = 64 << 10;
const KEYS_MAX: usize = 64;
const KEY_BYTES_MAX: usize = 16 << 10;
const PASSWORD_BYTES_MAX: usize = 1024;

/// CPUs and memory must be sane, and some node must be able to give them when it is empty.
pub(super) fn size(at: &Snapshot, spec: &VmSpec) -> Result<()> {
    if !(1..=CPUS_MAX).contains(&spec.cpus) {
        let message = format!("a VM has between 1 and {CPUS_MAX} CPUs");
        return Err(Error::invalid("spec.cpus", message));
    }
    if spec.memory < MEMORY_MIN {
        let message = format!("{} of memory is too little; {MEMORY_MIN} is the least", spec.memory);
        return Err(Error::invalid("spec.memory", message));
    }
    if !spec.memory.0.is_multiple_of(Bytes::MIB) {
        let message = "the memory of a VM is a whole number of MiB";
        return Err(Error::invalid("spec.memory", message));
    }
    let nodes = object::list::<Node>(at, None);
    let known: Vec<_> = nodes.iter().filter_map(|node| Some((node, capacity::of(node)?))).collect();
    largest(&known, |capacity| capacity.cpu.0, super::cpu_share(spec.cpus).0).map_or(
        Ok(()),
        |(node, most)| {
            let (asked, most) = (spec.cpus, MilliCpu(most).0 / 1000);
            let message = format!("{asked} CPUs are more than any node has (\"{node}\": {most})");
            Err(Error::invalid("spec.cpus", message))
        },
    )?;
    largest(&known, |capacity| capacity.memory.0, spec.memory.0).map_or(Ok(()), |(node, most)| {
        let (asked, most) = (spec.memory, Bytes(most));
        let message = format!("{asked} of memory is more than any node has (\"{node}\": {most})");
        Err(Error::invalid("spec.memory", message))
    })
}

/// The node with the most of something, if even that is less than `asked`.
fn largest(
    known: &[(&Object<Node>, Capacity)],
    of: impl Fn(&Capacity) -> u64,
    asked: u64,
) -> Option<(String, u64)> {
    let (node, capacity) = known.iter().max_by_key(|(_, capacity)| of(capacity))?;
    (of(capacity) < asked).then(|| (node.name().to_owned(), of(capacity)))
}

/// Checks what the guest is to be told and seals the password; `{set: true}` keeps the old one.
pub(super) fn cloud_init(
    request: &Request<'_>,
    new: &mut CloudInit,
    old: Option<&CloudInit>,
) -> Result<()> {
    hostname(new.hostname.as_deref())?;
    ssh_keys(&new.ssh_keys)?;
    let texts = [
        ("spec.cloud_init.user_data", &new.user_data),
        ("spec.cloud_init.meta_data", &new.meta_data),
        ("spec.cloud_init.network_config", &new.network_config),
    ];
    for (field, text) in texts {
        if text.as_ref().is_some_and(|text| text.len() > TEXT_BYTES_MAX) {
            let message = format!("{field} is longer than {TEXT_BYTES_MAX} bytes");
            return Err(Error::invalid(field, message));
        }
    }
    new.password = password(request, new.password.take(), old)?;
    Ok(())
}

fn hostname(name: Option<&str>) -> Result<()> {
    let Some(name) = name else { return Ok(()) };
    let label = |label: &str| {
        let plain = label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        plain && (1..=63).contains(&label.len()) && !label.starts_with('-') && !label.ends_with('-')
    };
    if name.len() > 253 || !name.split('.').all(label) {
        let field = "spec.cloud_init.hostname";
        return Err(Error::invalid(field, "this is not a host name")
            .hint("use letters, digits and -, in parts joined by dots"));
    }
    Ok(())
}

fn ssh_keys(keys: &[String]) -> Result<()> {
    if keys.len() > KEYS_MAX {
        let message = format!("more than {KEYS_MAX} SSH keys");
        return Err(Error::invalid("spec.cloud_init.ssh_keys", message));
    }
    for (at, key) in keys.iter().enumerate() {
        let odd = key.trim().is_empty() || key.chars().any(|c| c.is_control() && c != '\t');
        if odd || key.len() > KEY_BYTES_MAX {
            let field = format!("spec.cloud_init.ssh_keys[{at}]");
            return Err(Error::invalid(field, "an SSH key is one line of authorized_keys"));
        }
    }
    Ok(())
}

fn password(
    request: &Request<'_>,
    new: Option<Secret>,
    old: Option<&CloudInit>,
) -> Result<Option<Secret>> {
    let field = "spec.cloud_init.password";
    let kept = old.and_then(|old| old.password.clone());
    match new {
        None | Some(Secret::Set { set: false }) => Ok(None),
        Some(Secret::Set { set: true }) => match kept {
            Some(kept) => Ok(Some(kept)),
            None => Err(Error::invalid(field, "there is no password yet that could be kept")),
        },
        Some(Secret::Plain(plain)) if plain.is_empty() || plain.len() > PASSWORD_BYTES_MAX => {
            let message = format!("a password has between 1 and {PASSWORD_BYTES_MAX} bytes");
            Err(Error::invalid(field, message))
        }
        Some(plain @ Secret::Plain(_)) => (request.seal)(&plain).map(Some),
        Some(sealed @ Secret::Sealed { .. }) if kept.as_ref() == Some(&sealed) => Ok(kept),
        Some(Secret::Sealed { .. }) => {
            Err(Error::invalid(field, "write the password itself, or leave it out"))
        }
    }
}
