//! What an app says of itself: a JSON web token, signed with its private key.

use crate::{
    domain::Timestamp,
    remote::{
        RemoteError, Secret,
        token::{self, Tokens},
    },
    workspace::config::AppConfig,
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use rustls::{
    SignatureScheme,
    crypto::ring::sign::any_supported_type,
    pki_types::{PrivateKeyDer, pem::PemObject},
    sign::SigningKey,
};
use serde_json::{Value, json};
use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

/// Seconds that a word of the app is dated back, and those after which it is void. GitHub refuses one that is from the
/// future, or that is good for more than ten minutes from now.
const DATED_BACK: i64 = 60;
const GOOD_FOR: i64 = 9 * 60;
/// Seconds by which a clock may be wrong before a refusal is taken to be about that.
const TOLERATED: i64 = 30;

/// The app's key, and who signs with it.
pub(super) struct Signer {
    remote: String,
    issuer: Value,
    key: Arc<dyn SigningKey>,
    /// Seconds by which GitHub's clock is ahead of ours, as far as it had to be learnt.
    ahead: AtomicI64,
}

impl Signer {
    /// Finds the app's private key. The error never quotes it.
    pub(super) fn new(remote: &str, app: &AppConfig) -> Result<Self, RemoteError> {
        let pem = token::private_key(remote, &app.key)?;
        let key = signing_key(&pem).map_err(|reason| RemoteError::Unauthorized {
            remote: remote.to_owned(),
            reason: format!(
                "what `remotes.{remote}.token.app.key` leads to {reason}; give it the file that GitHub made when the \
                 key was generated"
            ),
        })?;
        // Older servers take an app's id as a number only; a client id is none.
        let issuer = app.id.trim().parse::<u64>().map_or_else(|_| json!(app.id.trim()), |id| json!(id));
        Ok(Self { remote: remote.to_owned(), issuer, key, ahead: AtomicI64::new(0) })
    }

    fn sign(&self, now: i64) -> Result<String, rustls::Error> {
        let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let claims = json!({ "iat": now - DATED_BACK, "exp": now + GOOD_FOR, "iss": self.issuer });
        let said = format!("{}.{}", part(json!({ "alg": "RS256", "typ": "JWT" })), part(claims));
        let signer = self.key.choose_scheme(&[SignatureScheme::RSA_PKCS1_SHA256]);
        let signature = signer.expect("the key was taken for this scheme").sign(said.as_bytes())?;
        Ok(format!("{said}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }
}

/// The RSA key in a PEM of either form: PKCS#1, which GitHub gives, or PKCS#8.
fn signing_key(pem: &Secret) -> Result<Arc<dyn SigningKey>, &'static str> {
    let der =
        PrivateKeyDer::from_pem_slice(pem.expose().as_bytes()).map_err(|_| "is no unencrypted private key in PEM")?;
    let key = any_supported_type(&der).map_err(|_| "is no RSA key that can be used")?;
    let signs = key.choose_scheme(&[SignatureScheme::RSA_PKCS1_SHA256]).is_some();
    if signs { Ok(key) } else { Err("is a key, but no RSA key") }
}

impl Tokens for Signer {
    fn token(&self) -> Result<Secret, RemoteError> {
        let now = Timestamp::now().as_second() + self.ahead.load(Ordering::Relaxed);
        let failed = |error| RemoteError::Unauthorized {
            remote: self.remote.clone(),
            reason: format!("the app's key does not sign ({error}); generate another on the app's page"),
        };
        self.sign(now).map(Secret::new).map_err(failed)
    }

    /// A word is signed anew each time, so another one helps only where it was dated by a wrong clock.
    fn refused(&self, _token: &Secret, now: Timestamp) -> bool {
        let ahead = now.as_second() - Timestamp::now().as_second();
        (ahead - self.ahead.swap(ahead, Ordering::Relaxed)).abs() > TOLERATED
    }
}
