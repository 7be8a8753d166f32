//! Webhooks: whether a delivery really comes from the tracker, and whether it is worth a pull.
//!
//! Nothing else of a delivery is ever used: it is a hint to look, and the truth is fetched. So a delivery that is lost, late,
//! repeated or out of order does no harm; the next poll makes it good.

use super::token::{self, Secret};
use crate::{
    domain::Timestamp,
    workspace::config::{RemoteConfig, RemoteKind},
};
use hmac::{Hmac, KeyInit, Mac};
use serde::Deserialize;
use sha2::Sha256;
use std::time::Duration;

/// How far from now Linear's signed time of sending may be: its documentation asks for a minute.
const WINDOW: Duration = Duration::from_secs(60);
/// No tracker's delivery id is longer.
const MAX_ID: usize = 128;

/// The secret that one remote signs its deliveries with.
pub struct Webhook {
    kind: RemoteKind,
    secret: Secret,
}

/// A delivery that the tracker signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// The tracker's own number of it; the same when it is sent again.
    pub id: String,
    /// Whether something may have changed: a ping only tries the line.
    pub is_news: bool,
}

/// Why a delivery is not listened to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("it has no signature")]
    Unsigned,
    #[error("its signature is not by this remote's secret")]
    Forged,
    #[error("it has no delivery id")]
    Nameless,
    #[error("it was sent too long ago, or its clock is wrong")]
    Late,
}

impl Webhook {
    /// Finds the secret. `None`: this kind of remote sends no webhooks. The error says where it was looked for.
    pub fn open(remote: &str, config: &RemoteConfig) -> Result<Option<Self>, String> {
        if config.kind == RemoteKind::Simulator {
            return Ok(None);
        }
        let secret = token::webhook_secret(remote, config.kind, &config.webhook_secret)?;
        Ok(Some(Self { kind: config.kind, secret }))
    }

    /// Checks the raw body against its signature, in constant time. `header` finds a header by its name in lower case.
    pub fn check<'a>(
        &self,
        header: impl Fn(&str) -> Option<&'a str>,
        body: &[u8],
        now: Timestamp,
    ) -> Result<Delivery, Refusal> {
        let (signature, id) = match self.kind {
            RemoteKind::Github => {
                let signature = header("x-hub-signature-256").ok_or(Refusal::Unsigned)?;
                (signature.strip_prefix("sha256=").ok_or(Refusal::Unsigned)?, header("x-github-delivery"))
            }
            RemoteKind::Linear | RemoteKind::Simulator => {
                (header("linear-signature").ok_or(Refusal::Unsigned)?, header("linear-delivery"))
            }
        };
        self.verify(signature, body)?;
        if self.kind == RemoteKind::Linear {
            sent_about(body, now)?;
        }
        let id = id.filter(|id| !id.is_empty() && id.len() <= MAX_ID).ok_or(Refusal::Nameless)?;
        Ok(Delivery { id: id.to_owned(), is_news: header("x-github-event") != Some("ping") })
    }

    fn verify(&self, signature: &str, body: &[u8]) -> Result<(), Refusal> {
        let mut mac =
            Hmac::<Sha256>::new_from_slice(self.secret.expose().as_bytes()).expect("a key of any length makes an HMAC");
        mac.update(body);
        mac.verify_slice(&bytes_of_hex(signature).ok_or(Refusal::Forged)?).map_err(|_| Refusal::Forged)
    }
}

/// Linear signs when it sent a delivery, so that an old one cannot be played back.
fn sent_about(body: &[u8], now: Timestamp) -> Result<(), Refusal> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Sent {
        webhook_timestamp: i64,
    }
    let sent: Sent = serde_json::from_slice(body).map_err(|_| Refusal::Late)?;
    let away = now.as_millisecond().abs_diff(sent.webhook_timestamp);
    if u128::from(away) <= WINDOW.as_millis() { Ok(()) } else { Err(Refusal::Late) }
}

fn bytes_of_hex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let pairs = text.as_bytes().chunks_exact(2);
    let whole = pairs.remainder().is_empty();
    let bytes = pairs.map(|pair| Some(digit(pair[0])? << 4 | digit(pair[1])?)).collect::<Option<Vec<u8>>>()?;
    whole.then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn hook(kind: RemoteKind, secret: &str) -> Webhook {
        Webhook { kind, secret: Secret::new(secret) }
    }

    fn sign(secret: &str, body: &[u8]) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
        mac.update(body);
        mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn check(hook: &Webhook, headers: &[(&str, &str)], body: &[u8], now: i64) -> Result<Delivery, Refusal> {
        let find = |name: &str| headers.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
        hook.check(find, body, Timestamp::from_millisecond(now).unwrap())
    }

    #[test]
    fn the_example_of_githubs_documentation_is_accepted() {
        let hook = hook(RemoteKind::Github, "It's a Secret to Everybody");
        let signature = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
        let headers = [("x-hub-signature-256", signature), ("x-github-delivery", "d1"), ("x-github-event", "issues")];
        let delivery = Delivery { id: "d1".into(), is_news: true };
        assert_eq!(check(&hook, &headers, b"Hello, World!", 0), Ok(delivery));
        assert_eq!(check(&hook, &headers, b"Hello, World?", 0), Err(Refusal::Forged));
        assert_eq!(check(&hook, &headers[1..], b"Hello, World!", 0), Err(Refusal::Unsigned));
        assert_eq!(check(&hook, &headers[..1], b"Hello, World!", 0), Err(Refusal::Nameless));
        let ping = [headers[0], headers[1], ("x-github-event", "ping")];
        assert!(!check(&hook, &ping, b"Hello, World!", 0).unwrap().is_news);
    }

    #[test]
    fn a_delivery_of_linears_is_listened_to_for_a_minute() {
        let hook = hook(RemoteKind::Linear, "s3cret");
        let body = br#"{"action":"update","type":"Issue","webhookTimestamp":100000}"#;
        let signature = sign("s3cret", body);
        let headers = [("linear-signature", signature.as_str()), ("linear-delivery", "d2")];
        for now in [100_000, 160_000, 40_000] {
            assert_eq!(check(&hook, &headers, body, now), Ok(Delivery { id: "d2".into(), is_news: true }));
        }
        for now in [160_001, 39_999] {
            assert_eq!(check(&hook, &headers, body, now), Err(Refusal::Late));
        }
        let timeless = br#"{"action":"update"}"#;
        let signature = sign("s3cret", timeless);
        let headers = [("linear-signature", signature.as_str()), ("linear-delivery", "d2")];
        assert_eq!(check(&hook, &headers, timeless, 0), Err(Refusal::Late));
    }

    proptest! {
        #[test]
        fn only_the_signature_itself_is_accepted(body in any::<Vec<u8>>(), signature in "\\PC{0,80}") {
            let hook = hook(RemoteKind::Github, "key");
            let valid = sign("key", &body);
            let signed = |signature: &str| {
                check(&hook, &[("x-hub-signature-256", &format!("sha256={signature}")), ("x-github-delivery", "d")], &body, 0)
            };
            prop_assert!(signed(&valid).is_ok());
            prop_assert_eq!(signed(&signature).is_ok(), signature.eq_ignore_ascii_case(&valid));
            prop_assert_eq!(signed(&valid[1..]), Err(Refusal::Forged));
        }
    }
}
