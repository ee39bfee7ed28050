//! Who is believed: certificates, chains and roots as they come and go.

use std::sync::Arc;

use crate::meeting::{
    TIMEOUT, call_with, client_config, identities_of, listen, meet, meet_by, sni,
};
use crate::support::ca::{Authority, TRUST_DOMAIN, asked, set_validity, uri};
use meshnode_engine::identity::Identities;
use meshnode_engine::tls::{self};
use rcgen::KeyPair;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

#[tokio::test]
async fn both_sides_prove_who_they_are_and_bytes_flow() {
    let authority = Authority::new();
    let (accepted, connected) = meet(&authority, "web", "cart").await;
    let (mut inbound, peer) = accepted.unwrap();
    let mut outbound = connected.unwrap();
    assert_eq!((&*peer.source, &*peer.destination), ("web", "cart"));
    outbound.write_all(b"hello").await.unwrap();
    let mut bytes = [0; 5];
    inbound.read_exact(&mut bytes).await.unwrap();
    assert_eq!(&bytes, b"hello");
    let (_, state) = inbound.get_ref();
    assert_eq!(
        state.protocol_version(),
        Some(rustls::ProtocolVersion::TLSv1_3)
    );
    assert_eq!(state.alpn_protocol(), Some(&b"http/1.1"[..]));
    assert_eq!(state.handshake_kind(), Some(rustls::HandshakeKind::Full));
}

#[tokio::test]
async fn a_chain_may_have_an_intermediate() {
    let root = Authority::new();
    let intermediate = root.intermediate();
    let identities = Arc::new(Identities::default());
    for service in ["web", "cart"] {
        let mut leaf = intermediate.leaf(service, |_| {});
        leaf.chain_pem.push_str(&intermediate.root_pem());
        identities.put(&root.document_of(service, leaf)).unwrap();
    }
    let (accepted, connected) = meet_by(&identities, &identities, "web", "cart").await;
    assert_eq!(&*accepted.unwrap().1.source, "web");
    connected.unwrap();
}

#[tokio::test]
async fn other_kinds_of_keys_are_taken() {
    let authority = Authority::new();
    for algorithm in [&rcgen::PKCS_ECDSA_P384_SHA384, &rcgen::PKCS_ED25519] {
        let identities = Arc::new(Identities::default());
        for service in ["web", "cart"] {
            let key = KeyPair::generate_for(algorithm).unwrap();
            let leaf = authority.leaf_for(service, &key, |_| {});
            identities
                .put(&authority.document_of(service, leaf))
                .unwrap();
        }
        let (accepted, _) = meet_by(&identities, &identities, "web", "cart").await;
        assert_eq!(&*accepted.unwrap().1.source, "web");
    }
}

#[tokio::test]
async fn the_trust_domain_has_no_case() {
    let authority = Authority::new();
    let identities = identities_of(&authority, &["cart"]);
    let leaf = authority.leaf("web", |p| {
        let upper = TRUST_DOMAIN.to_ascii_uppercase();
        p.subject_alt_names = vec![uri(&format!("spiffe://{upper}/ns/default/dc/dc1/svc/web"))];
    });
    let (accepted, _) = call_with(&identities, client_config(&leaf), &sni("cart")).await;
    assert_eq!(&*accepted.unwrap().1.source, "web");
}

#[tokio::test]
async fn the_server_name_picks_the_certificate() {
    let authority = Authority::new();
    let identities = identities_of(&authority, &["web", "cart", "billing"]);
    for service in ["cart", "billing"] {
        let (accepted, _) = meet_by(&identities, &identities, "web", service).await;
        assert_eq!(&*accepted.unwrap().1.destination, service);
    }
    let config = client_config(&authority.leaf("web", |_| {}));
    let (accepted, _) = call_with(&identities, config, &sni("CART")).await;
    assert_eq!(&*accepted.unwrap().1.destination, "cart");
}

#[tokio::test]
async fn the_next_handshake_uses_what_was_put() {
    let old = Authority::new();
    let new = Authority::new();
    let identities = identities_of(&old, &["web", "cart"]);
    let web = identities.get("web").unwrap();
    let (listener, address) = listen().await;
    let call = async |web: Arc<meshnode_engine::identity::Identity>| {
        let (accepted, connected) = tokio::join!(
            async { tls::accept(&identities, listener.accept().await.unwrap().0, TIMEOUT).await },
            async {
                let tcp = TcpStream::connect(address).await.unwrap();
                tls::connect(&web, &asked("cart"), tcp, TIMEOUT).await
            },
        );
        (accepted.map(|(_, peer)| peer), connected.map(|_| ()))
    };
    call(Arc::clone(&web)).await.0.unwrap();
    for service in ["web", "cart"] {
        identities.put(&new.document(service)).unwrap();
    }
    let (accepted, connected) = call(web).await;
    assert!(
        accepted.is_err() && connected.is_err(),
        "the old certificate was still believed"
    );
    call(identities.get("web").unwrap()).await.0.unwrap();
    assert!(identities.remove("cart"));
    let (accepted, _) = call(identities.get("web").unwrap()).await;
    assert!(
        accepted
            .unwrap_err()
            .detail
            .contains("no identity on this node")
    );
}

#[tokio::test]
async fn during_a_rotation_both_roots_are_believed() {
    let (old, new) = (Authority::new(), Authority::new());
    let both = format!("{}{}", new.root_pem(), old.root_pem());
    let put = |authority: &Authority, service: &str| {
        let identities = Arc::new(Identities::default());
        let mut document = authority.document(service);
        document.roots_pem.clone_from(&both);
        identities.put(&document).unwrap();
        identities
    };
    for (callers, called) in [(&old, &new), (&new, &old)] {
        let (web, cart) = (put(callers, "web"), put(called, "cart"));
        let (accepted, connected) = meet_by(&web, &cart, "web", "cart").await;
        connected.unwrap();
        assert_eq!(&*accepted.unwrap().1.source, "web");
    }
}

#[tokio::test]
async fn a_root_that_has_ended_hides_none_that_has_not() {
    let old = Authority::with(|params| set_validity(params, -7200, -60));
    let new = Authority::new();
    let mut document = new.document("cart");
    // While roots rotate, each path is shown: to the new root, and by its cross certificate to the old one.
    document.certificate_chain_pem += &old.cross_sign(&new);
    document.roots_pem = old.root_pem() + &new.root_pem();
    let identities = Arc::new(Identities::default());
    identities.put(&document).unwrap();
    let mut caller = new.document("web");
    caller.certificate_chain_pem += &old.cross_sign(&new);
    caller.roots_pem = old.root_pem() + &new.root_pem();
    identities.put(&caller).unwrap();
    let (accepted, connected) = meet_by(&identities, &identities, "web", "cart").await;
    assert!(accepted.is_ok() && connected.is_ok());
}
