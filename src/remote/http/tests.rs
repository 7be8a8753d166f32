use super::*;
use std::{
    io::{BufRead, BufReader, Write},
    net::TcpListener,
    sync::mpsc::{Receiver, channel},
};

const TOKEN: &str = "tok_secret";

/// Answers one request a connection with the given texts, and hands on what was asked. `ORIGIN` stands for itself.
fn server(answers: Vec<String>) -> (String, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    let (send, receive) = channel();
    let own = origin.clone();
    std::thread::spawn(move || {
        for answer in answers {
            let (mut client, _) = listener.accept().unwrap();
            let lines = BufReader::new(client.try_clone().unwrap()).lines().map(Result::unwrap);
            let head: Vec<_> = lines.take_while(|line| !line.is_empty()).collect();
            send.send(head.join("\n")).unwrap();
            client.write_all(answer.replace("ORIGIN", &own).as_bytes()).unwrap();
        }
    });
    (origin, receive)
}

fn answer(status: &str, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\n{headers}content-length: {}\r\nconnection: close\r\n\r\n{body}", body.len())
}

fn http(origin: &str) -> Http {
    Http::new("hub", origin, bearer, Arc::new(Secret::new(TOKEN)), HeaderMap::new()).unwrap()
}

fn get(http: &Http) -> Result<Reply, RemoteError> {
    http.send(Effect::Read, Method::GET, http.url(&["x"]), None)
}

fn failure(effect: Effect, status: &str, headers: &str, message: &str) -> RemoteError {
    let (origin, _requests) = server(vec![answer(status, headers, "")]);
    let http = http(&origin);
    let reply = http.send(effect, Method::GET, http.url(&["x"]), None).unwrap();
    http.failure(effect, &reply, Explanation { field: None, message: message.into() })
}

#[test]
fn a_request_carries_the_token_and_says_who_asks() {
    let (origin, requests) = server(vec![answer("200 OK", "", "{}")]);
    get(&http(&origin)).unwrap();
    let request = requests.recv().unwrap().to_lowercase();
    assert!(request.contains("authorization: bearer tok_secret"), "{request}");
    assert!(request.contains(concat!("user-agent: trackfs/", env!("CARGO_PKG_VERSION"))), "{request}");
}

#[test]
fn a_read_follows_a_redirect_within_the_origin() {
    let moved = answer("301 Moved Permanently", "location: ORIGIN/y?z=1\r\n", "");
    let (origin, requests) = server(vec![moved, answer("200 OK", "", "here")]);
    assert_eq!(get(&http(&origin)).unwrap().body(), b"here");
    assert!(requests.recv().unwrap().starts_with("GET /x "));
    let second = requests.recv().unwrap();
    assert!(second.starts_with("GET /y?z=1 ") && second.contains(TOKEN), "{second}");
}

#[test]
fn no_redirect_takes_the_token_to_another_origin() {
    let (elsewhere, asked) = server(vec![answer("200 OK", "", "caught")]);
    let moved = answer("307 Temporary Redirect", &format!("location: {elsewhere}/y\r\n"), "");
    let (origin, _requests) = server(vec![moved]);
    let http = http(&origin);
    let reply = get(&http).unwrap();
    let error = http.failure(Effect::Read, &reply, Explanation::default());
    assert!(matches!(error, RemoteError::Server { .. }), "{error:?}");
    assert!(asked.try_recv().is_err(), "the other origin was asked");
}

#[test]
fn a_write_is_not_repeated_as_a_read_by_a_redirect() {
    let (origin, requests) = server(vec![answer("302 Found", "location: ORIGIN/y\r\n", "")]);
    let http = http(&origin);
    let reply = http.send(Effect::Write, Method::POST, http.url(&["x"]), None).unwrap();
    assert_eq!(reply.status, 302);
    assert_eq!(requests.iter().count(), 1);
}

#[test]
fn redirects_in_a_circle_end() {
    let round = answer("302 Found", "location: /x\r\n", "");
    let (origin, _requests) = server(vec![round; MAX_REDIRECTS + 1]);
    assert!(matches!(get(&http(&origin)), Err(RemoteError::Server { .. })));
}

#[test]
fn an_endless_answer_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        let (mut client, _) = listener.accept().unwrap();
        let lines = BufReader::new(client.try_clone().unwrap()).lines();
        assert!(lines.map_while(Result::ok).any(|line| line.is_empty()), "the head ends");
        client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
        while client.write_all(&[b' '; 64 * 1024]).is_ok() {}
    });
    match get(&http(&origin)) {
        Err(RemoteError::Server { reason, .. }) => assert!(reason.contains("too long"), "{reason}"),
        other => panic!("{:?}", other.map(|reply| reply.status)),
    }
}

#[test]
fn a_connection_cut_in_the_answer_is_offline_for_a_read_and_ambiguous_for_a_write() {
    for (effect, ambiguous) in [(Effect::Read, false), (Effect::Write, true)] {
        let cut = "HTTP/1.1 200 OK\r\ncontent-length: 10\r\nconnection: close\r\n\r\n{";
        let (origin, _requests) = server(vec![cut.into()]);
        let http = http(&origin);
        let error = http.send(effect, Method::GET, http.url(&["x"]), None).map(|reply| reply.status).unwrap_err();
        assert_eq!(matches!(error, RemoteError::Ambiguous { .. }), ambiguous, "{error:?}");
        assert_eq!(matches!(error, RemoteError::Offline { .. }), !ambiguous, "{error:?}");
    }
}

#[test]
fn nothing_listening_is_offline_also_for_a_write() {
    let http = http("http://127.0.0.1:9");
    let error = http.send(Effect::Write, Method::POST, http.url(&["x"]), None).map(|reply| reply.status).unwrap_err();
    assert!(matches!(error, RemoteError::Offline { .. }), "{error:?}");
}

#[test]
fn a_status_says_what_can_be_done() {
    use Effect::{Read, Write};
    type Is = fn(&RemoteError) -> bool;
    let table: [(Effect, &str, &str, &str, Is); 11] = [
        (Read, "401 Unauthorized", "", "", |e| matches!(e, RemoteError::Unauthorized { .. })),
        (Read, "403 Forbidden", "", "Resource not accessible", |e| matches!(e, RemoteError::Unauthorized { .. })),
        (Read, "403 Forbidden", "", "You have exceeded a secondary rate limit", is_limited),
        (Read, "403 Forbidden", "x-ratelimit-limit: 60\r\nx-ratelimit-remaining: 0\r\n", "no", is_limited),
        (Write, "403 Forbidden", "retry-after: 3\r\n", "", is_limited),
        (Write, "429 Too Many Requests", "", "", is_limited),
        (Read, "404 Not Found", "", "", |e| matches!(e, RemoteError::NotFound { what, .. } if what == "/x")),
        (Read, "410 Gone", "", "", |e| matches!(e, RemoteError::NotFound { .. })),
        (Write, "422 Unprocessable", "", "too long", |e| matches!(e, RemoteError::Invalid { .. })),
        (Read, "502 Bad Gateway", "", "", |e| matches!(e, RemoteError::Server { .. })),
        (Write, "504 Gateway Timeout", "", "", |e| matches!(e, RemoteError::Ambiguous { .. })),
    ];
    for (effect, status, headers, message, is) in table {
        let error = failure(effect, status, headers, message);
        assert!(is(&error), "{effect:?} {status}: {error:?}");
    }
}

fn is_limited(error: &RemoteError) -> bool {
    matches!(error, RemoteError::RateLimited { .. })
}

#[test]
fn the_wait_is_told_by_the_remotes_own_clock() {
    let waits = [
        ("retry-after: 7\r\n", 7),
        ("", 60),
        // 2026-01-01 00:00:00 is 1767225600; the limit ends 90 s later, wherever our own clock stands.
        (
            "date: Thu, 01 Jan 2026 00:00:00 GMT\r\nx-ratelimit-limit: 5000\r\nx-ratelimit-remaining: 0\r\nx-ratelimit-reset: 1767225690\r\n",
            90,
        ),
        (
            "date: Thu, 01 Jan 2026 00:00:00 GMT\r\nx-ratelimit-complexity-limit: 250000\r\nx-ratelimit-complexity-remaining: 0\r\nx-ratelimit-complexity-reset: 1767225630000\r\n",
            30,
        ),
        ("retry-after: 999999\r\n", 3600),
        ("retry-after: 0\r\n", 1),
    ];
    for (headers, seconds) in waits {
        let error = failure(Effect::Read, "429 Too Many Requests", headers, "");
        let RemoteError::RateLimited { wait, .. } = error else { panic!("{error:?}") };
        assert_eq!(wait, Duration::from_secs(seconds), "{headers}");
    }
}

#[test]
fn the_scarcest_budget_is_remembered() {
    let headers = "x-ratelimit-requests-limit: 1500\r\nx-ratelimit-requests-remaining: 1400\r\n\
        x-ratelimit-complexity-limit: 250000\r\nx-ratelimit-complexity-remaining: 1000.5\r\n\
        x-ratelimit-complexity-reset: 1767225600000\r\n";
    let (origin, _requests) = server(vec![answer("200 OK", headers, ""), answer("200 OK", "", "")]);
    let http = http(&origin);
    assert_eq!(http.budget(), None);
    get(&http).unwrap();
    let reset = Some("2026-01-01T00:00:00Z".parse().unwrap());
    assert_eq!(http.budget(), Some(Budget { remaining: 1000, limit: 250_000, reset }));
    get(&http).unwrap();
    assert!(http.budget().is_some(), "an answer without the headers says nothing new");
}

#[test]
fn a_token_never_shows_in_an_error() {
    let error = failure(Effect::Read, "401 Unauthorized", "", "bad token tok_secret\u{1b}[2J");
    assert_eq!(error.to_string(), "hub refused the token: bad token *** [2J");
}

#[test]
fn an_answer_of_another_shape_is_quoted_in_one_short_line() {
    let body = serde_json::json!(format!("tok_secret\n{}", "x".repeat(5000))).to_string();
    for effect in [Effect::Read, Effect::Write] {
        let (origin, _requests) = server(vec![answer("200 OK", "", &body)]);
        let http = http(&origin);
        let text = http.json::<Vec<u8>>(effect, &get(&http).unwrap()).unwrap_err().to_string();
        assert!(text.len() < 400 && !text.contains(TOKEN) && text.contains("***"), "{text}");
    }
}

#[test]
fn plain_http_is_for_this_machine_only() {
    let open = |url| Http::new("hub", url, bearer, Arc::new(Secret::new("t")), HeaderMap::new()).map(drop);
    for url in ["http://127.0.0.1:4101", "http://localhost/api", "http://[::1]:80", "https://ghe.example.com/api/v3"] {
        open(url).unwrap();
    }
    for url in ["http://ghe.example.com", "http://127.0.0.1.example.com", "ftp://localhost", "ghe.example.com", ""] {
        let error = open(url).unwrap_err();
        assert!(
            matches!(&error, RemoteError::Invalid { field: Some(field), .. } if field == "url"),
            "{url}: {error:?}"
        );
    }
}

#[test]
fn an_address_of_another_origin_is_not_ours() {
    let http = http("http://127.0.0.1:4101/api/");
    assert!(http.own_url("http://127.0.0.1:4101/repositories/1/issues?page=2").is_some());
    for foreign in ["http://127.0.0.1:4102/x", "https://127.0.0.1:4101/x", "http://evil.example/x", "//evil.example/x"]
    {
        assert!(http.own_url(foreign).is_none(), "{foreign}");
    }
}

#[test]
fn a_path_segment_cannot_leave_its_place() {
    let http = http("http://127.0.0.1:4101/api/");
    assert_eq!(http.url(&["repos", "o", "a/b?c#d"]).path(), "/api/repos/o/a%2Fb%3Fc%23d");
    assert_eq!(http.url(&["labels", "ü x"]).path(), "/api/labels/%C3%BC%20x");
}
