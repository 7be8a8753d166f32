//! A whole workspace in step with GitHub's stand-in, behind a proxy that counts requests.

#[path = "support/emulators.rs"]
mod emulators;
#[path = "support/proxy.rs"]
mod proxy;
#[path = "support/world.rs"]
mod world;

use emulators::{Server, start_github};
use proxy::Proxy;
use serde_json::{Value, json};
use std::sync::Arc;
use trackfs::{
    remote::connect,
    sync::{Options, Report, Syncer},
    workspace::config::{RemoteConfig, RemoteKind, SyncConfig, TokenSource},
};
use world::{World, ws};

/// A workspace, and the repository `alice/tracker` that it is kept in step with.
struct Scene {
    server: Server,
    proxy: Proxy,
    world: World,
    syncer: Syncer,
}

impl Scene {
    fn new(config: impl Fn(RemoteConfig) -> RemoteConfig) -> Option<Self> {
        let server = start_github()?;
        let (proxy, world) = (Proxy::before(&server.origin), World::new());
        let config = config(RemoteConfig {
            repo: Some("alice/tracker".into()),
            url: Some(proxy.origin.clone()),
            token: TokenSource::Command("echo ghp_alice".into()),
            ..RemoteConfig::new(RemoteKind::Github, ws("tickets"))
        });
        let provider = Arc::from(connect("hub", &config).unwrap());
        let syncer = world.syncer_of("hub", config, provider, SyncConfig::default(), Default::default());
        Some(Self { server, proxy, world, syncer })
    }

    /// What bob does.
    fn post(&self, path: &str, body: &Value) -> Value {
        self.server.post(&format!("/repos/alice/tracker/{path}"), "ghp_bob", body)
    }

    fn cycle(&self) -> Report {
        self.world.cycle(&self.syncer)
    }
}

#[test]
fn a_cycle_in_which_nothing_changed_is_one_request_answered_not_modified() {
    let Some(scene) = Scene::new(|config| config) else { return };
    scene.proxy.tag();
    scene.post("issues", &json!({ "title": "Login fails" }));
    scene.post("issues/1/comments", &json!({ "body": "Seen on Safari too." }));
    (0..3).for_each(|_| drop(scene.cycle()));
    assert_eq!(scene.world.files("tickets"), ["1.md"]);
    for _ in 0..3 {
        let (requests, not_modified) = (scene.proxy.requests(), scene.proxy.not_modified());
        assert_eq!(scene.syncer.sync(Options::default()).unwrap(), Report::default());
        assert_eq!((scene.proxy.requests() - requests, scene.proxy.not_modified() - not_modified), (1, 1));
    }
    scene.post("issues/1/comments", &json!({ "body": "And on Firefox." }));
    assert_eq!(scene.cycle().pulled[0].what, ["comments"]);
}
