//! Over TCP nothing is open without a session or a token.

use crate::daemon::Daemon;

#[test]
fn a_token_opens_the_api_and_its_revocation_closes_it() {
    let daemon = Daemon::start();
    let created = daemon.json(&["token", "create", "ci"]);
    let secret = created["secret"].as_str().unwrap();
    let url = format!("{}/v1/projects", daemon.base_url());
    assert_eq!(status(&url, None), 401);
    assert_eq!(status(&url, Some("wrong")), 401);
    assert_eq!(status(&url, Some(secret)), 200);
    daemon.run(&["token", "revoke", "ci"]);
    assert_eq!(status(&url, Some(secret)), 401);
    assert!(!daemon.log().contains(secret), "the secret is in the log");
}

#[test]
fn a_sign_in_link_works_once() {
    let daemon = Daemon::start();
    let link = daemon.run(&["web"]);
    let code = link.trim().rsplit_once("#code=").unwrap().1.to_owned();
    let url = format!("{}/v1/session", daemon.base_url());
    let body = format!("{{\"code\":\"{code}\"}}");
    let trade =
        || curl(&["-X", "POST", "-H", "Content-Type: application/json", "-d", &body, "-i", &url]);
    let first = trade();
    assert!(first.contains("HttpOnly") && first.contains("SameSite=Strict"), "{first}");
    assert!(trade().starts_with("HTTP/1.1 401"), "a code is good for one use");
    assert!(!daemon.log().contains(&code), "the code is in the log");
}

fn status(url: &str, token: Option<&str>) -> u16 {
    let header = token.map(|token| format!("Authorization: Bearer {token}"));
    let mut args = vec!["-o", "/dev/null", "-w", "%{http_code}"];
    args.extend(header.iter().flat_map(|header| ["-H", header.as_str()]));
    args.push(url);
    curl(&args).trim().parse().unwrap()
}

fn curl(args: &[&str]) -> String {
    let output = std::process::Command::new("curl").arg("-sS").args(args).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}
