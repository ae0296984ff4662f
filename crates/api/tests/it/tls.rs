//! TLS on addresses that are not loopback, with the own CA.

use reqwest::{Certificate, Client, StatusCode};

use crate::harness::Server;

#[tokio::test(flavor = "multi_thread")]
async fn the_own_ca_vouches_for_the_server_and_survives_a_restart() {
    let mut server = Server::start_with(|config| {
        config.listen = vec!["0.0.0.0:0".parse().unwrap()];
    })
    .await;
    let handle = server.handle.as_ref().unwrap();
    assert!(handle.base_url.starts_with("https://"));
    let fingerprint = handle.fingerprint.clone().unwrap();
    assert_eq!(fingerprint.split(':').count(), 32);
    let port = server.address.port();
    let local = server.local();
    let pem = local.get("http://localhost/ca.pem").send().await.unwrap().bytes().await.unwrap();

    let trusting =
        Client::builder().tls_certs_only([Certificate::from_pem(&pem).unwrap()]).build().unwrap();
    for host in ["localhost", "127.0.0.1"] {
        let url = format!("https://{host}:{port}/v1/system");
        let answer = trusting.get(&url).bearer_auth(&server.token).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
    }
    let stranger = Client::new().get(format!("https://localhost:{port}/healthz")).send().await;
    assert!(stranger.is_err(), "an unknown CA was trusted");
    let plain = Client::new().get(format!("http://localhost:{port}/healthz")).send().await;
    assert!(plain.is_err(), "plain HTTP was served beyond loopback");

    // A client that never finishes its handshake holds up nobody.
    let _mute = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let url = format!("https://localhost:{port}/healthz");
    assert_eq!(trusting.get(&url).send().await.unwrap().status(), StatusCode::OK);

    server.shutdown().await;
    let data = server.data.path().to_owned();
    let again = Server::start_with(|config| {
        config.listen = vec!["0.0.0.0:0".parse().unwrap()];
        config.data_dir = data;
    })
    .await;
    assert_eq!(again.handle.as_ref().unwrap().fingerprint, Some(fingerprint));
    let url = format!("https://localhost:{}/healthz", again.address.port());
    assert_eq!(trusting.get(&url).send().await.unwrap().status(), StatusCode::OK);
}
