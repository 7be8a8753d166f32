//! `serve`: takes the webhooks of GitHub and Linear.

use super::{ask::locate, failure, output::Output};
use crate::{
    daemon::{self, Location, SystemClock, control::Request},
    remote::webhook::Webhook,
    serve::{self, Webhooks},
    workspace::root::Root,
};
use clap::Args;
use std::{
    net::{SocketAddr, TcpListener},
    path::PathBuf,
    sync::Arc,
};

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  trackfs serve --webhooks 127.0.0.1:8787      behind a reverse proxy or tunnel that ends TLS

The tracker posts to /webhooks/NAME, NAME being the remote's name here, as JSON, signed with a secret that is found in
GITHUB_WEBHOOK_SECRET or LINEAR_WEBHOOK_SECRET, or where `remotes.NAME.webhook_secret` says. A delivery only makes the running
mount pull at once, instead of at its next interval; one that is missed is made good by that.")]
pub struct ServeArgs {
    /// Address and port to listen on
    #[arg(long, value_name = "ADDR")]
    webhooks: SocketAddr,
    /// A folder of the workspace [default: here]
    dir: Option<PathBuf>,
}

pub fn run(args: &ServeArgs, out: &mut Output) -> anyhow::Result<()> {
    let at = locate(args.dir.as_deref())?;
    let webhooks = webhooks(&at, out)?;
    let listener = TcpListener::bind(args.webhooks)
        .map_err(|error| failure::because(format!("{} cannot be listened on", args.webhooks), error))?;
    let address = listener.local_addr()?;
    for remote in webhooks.keys() {
        out.line(format!("listening for {remote} at http://{address}/webhooks/{remote}; Ctrl-C ends it"))?;
    }
    out.flush()?;
    let wake = move |remote: &str| {
        if let Err(error) = daemon::ask(&at, &Request::Pull { remote: remote.to_owned() }) {
            tracing::warn!(remote, "nothing was pulled after a webhook: {error:#}");
        }
    };
    Ok(serve::serve(webhooks, listener, Arc::new(SystemClock), wake, serve::asked_to_end())?)
}

/// Every remote whose secret is found; the others are named.
fn webhooks(at: &Location, out: &mut Output) -> anyhow::Result<Webhooks> {
    let config = daemon::configured(&Root::open(&at.dir)?)?;
    let mut found = Webhooks::new();
    let mut reasons = Vec::new();
    for (name, remote) in &config.remotes {
        match Webhook::open(name, remote) {
            Ok(webhook) => found.extend(webhook.map(|webhook| (name.clone(), webhook))),
            Err(reason) => reasons.push(format!("{name} is not listened for: {reason}")),
        }
    }
    if found.is_empty() {
        let why = if reasons.is_empty() { "no remote here sends webhooks".to_owned() } else { reasons.join("; ") };
        return Err(failure::advise(
            why,
            "`trackfs remote add` sets up GitHub or Linear; `trackfs serve --help` says more",
        ));
    }
    reasons.iter().try_for_each(|reason| out.line(reason))?;
    Ok(found)
}
