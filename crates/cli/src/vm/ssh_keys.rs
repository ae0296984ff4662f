//! Finding public keys: the caller's own, and those in files that were named.

use std::path::Path;

use crate::failure::{Failure, Result};

/// `~/.ssh/*.pub` by path, with the keys in each. What cannot be read is not there.
pub fn own(directory: &Path) -> Vec<(String, Vec<String>)> {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    let mut files: Vec<_> = entries
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "pub"))
        .filter_map(|path| {
            Some((path.display().to_string(), keys(&std::fs::read_to_string(&path).ok()?)))
        })
        .filter(|(_, keys)| !keys.is_empty())
        .collect();
    files.sort();
    files
}

/// The keys in a file that must have some.
pub fn read(path: &Path) -> Result<Vec<String>> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| Failure::usage(format!("{} cannot be read: {error}", path.display())))?;
    let keys = keys(&text);
    if keys.is_empty() {
        return Err(Failure::usage(format!("{} holds no public key", path.display()))
            .hint("give the file that ends with .pub"));
    }
    Ok(keys)
}

/// Lines that begin like a public key (`sshd(8)`). A private key that
/// was given by mistake has none.
fn keys(text: &str) -> Vec<String> {
    let kinds = ["ssh-", "ecdsa-", "sk-ssh-", "sk-ecdsa-"];
    text.lines()
        .map(str::trim)
        .filter(|line| kinds.iter().any(|kind| line.starts_with(kind)) && line.contains(' '))
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_public_keys_are_taken() {
        let home = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(home.path().join(name), text).unwrap();
        write("id_ed25519.pub", "# mine\nssh-ed25519 AAAA me@here\n");
        write("id_ed25519", "-----BEGIN OPENSSH PRIVATE KEY-----\nssh-secret x\n");
        write("broken.pub", "-----BEGIN\n");
        let own = own(home.path());
        assert_eq!(own.len(), 1);
        assert!(own[0].0.ends_with("id_ed25519.pub"));
        assert_eq!(own[0].1, ["ssh-ed25519 AAAA me@here"]);
        assert!(super::own(&home.path().join("nowhere")).is_empty());
        assert_eq!(read(&home.path().join("broken.pub")).unwrap_err().exit, 2);
    }
}
