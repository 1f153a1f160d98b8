//! Every way in which a server can fail has its own message and exit code, and leaves nothing behind that looks like a model.

use crate::hub::{Listed, Puller, hash, hub, hub_with, listed, model_bytes, reply};
use crate::server::{Reply, Server};
use std::time::Instant;

/// A hub that answers everything alike.
fn always(answer: Reply) -> Server {
    Server::start(move |_| answer.clone())
}

#[test]
fn statuses() {
    let gated = || {
        Reply::new(403, "").with("x-error-code", "GatedRepo").with("x-error-message", "Access is restricted")
    };
    for (answer, token, parts) in [
        (Reply::new(404, ""), None, &["own/repo", "not found", "404"][..]),
        (Reply::new(401, ""), None, &["access denied (401)", "HF_TOKEN", "private or gated"]),
        (Reply::new(401, ""), Some("hf_x"), &["access denied (401)", "HF_TOKEN gives no access"]),
        (
            gated(),
            None,
            &["403", "Access is restricted", "accepting them on http", "/own/repo", "setting HF_TOKEN"],
        ),
        (gated(), Some("hf_x"), &["accepting them on", "account of HF_TOKEN"]),
        (Reply::new(418, ""), None, &["418"]),
        (Reply::new(302, ""), None, &["302"]),
        (Reply::new(429, "").with("retry-after", "3600"), None, &["429", "in 3600 s"]),
    ] {
        let hub = always(answer);
        let puller = token.map_or_else(|| Puller::new(&hub), |token| Puller::with_token(&hub, token));
        puller.pull("own/repo").fails(1, parts);
        assert_eq!((hub.requests().len(), puller.files().len()), (1, 0));
    }
}

#[test]
fn what_a_server_says_cannot_write_to_the_terminal() {
    let hub = always(Reply::new(404, "").with("x-error-message", "a\tb\u{7f}c"));
    let run = Puller::new(&hub).pull("own/repo");
    assert!(!run.stderr.trim_end().contains(|c: char| c.is_control()), "{:?}", run.stderr);
}

#[test]
fn a_failing_server_is_asked_again_a_few_times() {
    let hub = always(Reply::new(503, ""));
    Puller::new(&hub).run(&["pull", "--retries", "2", "own/repo"]).fails(1, &["503", "trying again"]);
    assert_eq!(hub.requests().len(), 3);
    let hub = hub_with(|request, bytes| match request.before {
        0 => Reply::new(500, ""),
        1 => Reply::new(429, "").with("retry-after", "0"),
        _ => Reply::file(request, bytes),
    });
    Puller::new(&hub).run(&["pull", "--retries", "2", "own/repo"]).ok();
}

#[test]
fn nobody_listens() {
    let hub = always(Reply::new(200, ""));
    let puller = Puller::new(&hub);
    drop(hub);
    let start = Instant::now();
    puller.run(&["pull", "own/repo"]).fails(1, &["127.0.0.1", "cannot connect"]);
    assert!(!puller.run(&["pull", "own/repo"]).stderr.contains("trying again"));
    assert!(start.elapsed().as_secs() < 60);
}

#[test]
fn redirects_that_lead_nowhere() {
    let circle = Server::start(|request| Reply::redirect(if request.target == "/a" { "/b" } else { "/a" }));
    Puller::new(&circle).pull("own/repo").fails(1, &["redirects"]);
    assert_eq!(circle.requests().len(), 3);
    let endless = Server::start(|request| Reply::redirect(&format!("{}x", request.target)));
    Puller::new(&endless).pull("own/repo").fails(1, &["redirects"]);
    assert!(endless.requests().len() <= 12);
    for location in ["ftp://127.0.0.1/x", "file:///etc/passwd", "http://user:pw@127.0.0.1/", "http://"] {
        let hub = always(Reply::redirect(location));
        Puller::new(&hub).pull("own/repo").fails(1, &["redirects to what is no URL"]);
    }
}

#[test]
fn lists_that_are_none() {
    for body in ["", "<html>", "[]", "{\"sha\": 5}", "null"] {
        let hub = always(Reply::new(200, body));
        Puller::new(&hub).pull("own/repo").fails(1, &["no list of files"]);
    }
    let hub = always(Reply::new(200, vec![b' '; (16 << 20) + 1]));
    Puller::new(&hub).pull("own/repo").fails(1, &["no list of files", "longer than"]);
    let endless = Server::start(|request| {
        if request.target.contains("/tree/") {
            Reply::new(200, "[]").with("link", &format!("<{}x>; rel=\"next\"", request.target))
        } else {
            Reply::new(200, "{}")
        }
    });
    Puller::new(&endless).pull("own/repo").fails(1, &["pages"]);
    assert!(endless.requests().len() <= 21);
}

#[test]
fn names_that_leave_their_folder() {
    let names = [
        "../evil.gguf",
        "/tmp/evil.gguf",
        "a/../../evil.gguf",
        "..\\evil.gguf",
        "a//evil.gguf",
        ".evil.gguf",
        "a\u{0}.gguf",
    ];
    for name in names {
        let hub = hub(vec![listed(name, &model_bytes()), listed("m-Q4_0.gguf", &model_bytes())]);
        let puller = Puller::new(&hub);
        puller.pull("own/repo").fails(1, &["no safe name"]);
        assert_eq!((hub.count("/resolve/"), puller.files().len()), (0, 0), "{name}");
    }
}

#[test]
fn models_that_are_not_there() {
    let hub =
        hub(vec![listed("m-Q8_0.gguf", b"x"), listed("a-Q4_0.gguf", b"x"), listed("b-Q4_0.gguf", b"x")]);
    let puller = Puller::new(&hub);
    puller.pull("own/repo:Q5_K_M").fails(2, &["there is no Q5_K_M", "Q4_0, Q8_0"]);
    puller.pull("own/repo:x.gguf").fails(2, &["there is no x.gguf", "m-Q8_0.gguf"]);
    puller.pull("own/repo").fails(2, &["several", "a-Q4_0.gguf, b-Q4_0.gguf"]);
    let none = self::hub(vec![listed("README.md", b"x")]);
    Puller::new(&none).pull("own/repo").fails(1, &["no GGUF model"]);
    let half = self::hub(vec![listed("m-00001-of-00002.gguf", b"x")]);
    Puller::new(&half).pull("own/repo").fails(1, &["part m-00002-of-00002.gguf of the model is missing"]);
}

#[test]
fn wrong_names_and_settings() {
    let hub = always(Reply::new(500, ""));
    let puller = Puller::new(&hub);
    for name in [
        "own",
        "own/repo/more",
        "../repo",
        "own/repo:",
        "own/repo:../x.gguf",
        "ftp://a/m.gguf",
        "http://a/m.bin",
    ] {
        puller.pull(name).fails(2, &["not the name of a model", "Try"]);
    }
    let with = |name, value| puller.run_with(&["pull", "own/repo"], &[(name, value)]);
    with("HF_ENDPOINT", "huggingface.co").fails(2, &["HF_ENDPOINT", "scheme"]);
    let secret = with("HF_TOKEN", "hf secret");
    assert!(!secret.stderr.contains("secret"), "{}", secret.stderr);
    secret.fails(2, &["HF_TOKEN"]);
    with("SSL_CERT_FILE", "nowhere.pem").fails(2, &["SSL_CERT_FILE", "nowhere.pem"]);
    let homeless = [("SISKIN_CACHE", ""), ("HOME", "")];
    puller.run_with(&["pull", "own/repo"], &homeless).fails(1, &["SISKIN_CACHE"]);
    puller.run(&["pull"]).fails(2, &["siskin pull"]);
    assert_eq!(hub.requests().len(), 0);
}

#[test]
fn a_wrong_hash_leaves_nothing() {
    let mut file = listed("m-Q4_0.gguf", &model_bytes());
    file.sha256 = Some("0".repeat(64));
    let hub = hub(vec![file]);
    let puller = Puller::new(&hub);
    puller.pull("own/repo").fails(1, &["m-Q4_0.gguf", "SHA-256", &hash(&model_bytes())]);
    assert_eq!((hub.count("/resolve/"), puller.files()), (1, vec![]));
}

#[test]
fn two_hashes_for_one_file() {
    let hub = hub_with(|request, bytes| {
        Reply::file(request, bytes).with("x-linked-etag", &format!("\"{}\"", "1".repeat(64)))
    });
    Puller::new(&hub).pull("own/repo").fails(1, &["the list of files says"]);
}

#[test]
fn a_file_that_always_ends_too_soon() {
    let hub = hub_with(|request, bytes| Reply::file(request, bytes).cut(1000));
    let puller = Puller::new(&hub);
    puller.pull("own/repo").fails(1, &["kept"]);
    assert_eq!(hub.count("/resolve/"), 2);
    assert!(puller.files().iter().all(|name| name.ends_with(".part")), "{:?}", puller.files());
}

#[test]
fn sizes_that_are_lies() {
    let of_size = |size| hub(vec![Listed { size, ..listed("m-Q4_0.gguf", &model_bytes()) }]);
    let real = model_bytes().len() as u64;
    for size in [real - 1, real + 1] {
        Puller::new(&of_size(size)).pull("own/repo").fails(1, &["bytes, expected"]);
    }
    for size in [1 << 60, u64::MAX] {
        let hub = of_size(size);
        Puller::new(&hub).pull("own/repo").fails(4, &["bytes free", &size.to_string(), "SISKIN_CACHE"]);
        assert_eq!(hub.count("/resolve/"), 0);
    }
    let parts =
        [1, 2].map(|no| Listed { size: u64::MAX, ..listed(&format!("m-0000{no}-of-00002.gguf"), b"x") });
    Puller::new(&hub(parts.into())).pull("own/repo").fails(4, &["bytes free"]);
    // Without a length: more than was promised comes, or less.
    for (size, code, part) in [(real - 1, 3, "but the file ends at"), (real + 1, 1, "kept")] {
        let files = vec![Listed { size, ..listed("m-Q4_0.gguf", &model_bytes()) }];
        let hub = Server::start(move |request| {
            let answer = reply(&files, request);
            if request.target.contains("/resolve/") {
                let mut chunked = format!("{:x}\r\n", answer.body.len()).into_bytes();
                chunked.extend([&answer.body[..], b"\r\n0\r\n\r\n"].concat());
                // two lengths would be an error of their own
                return Reply::new(answer.status, chunked)
                    .with("transfer-encoding", "chunked")
                    .with("content-length", "");
            }
            answer
        });
        Puller::new(&hub).pull("own/repo").fails(code, &[part]);
    }
}

#[test]
fn a_url_without_a_size() {
    let server =
        always(Reply::new(200, "0\r\n\r\n").with("transfer-encoding", "chunked").with("content-length", ""));
    let run = Puller::new(&server).pull(&server.url("/m.gguf"));
    assert_eq!((run.code, run.stdout.as_str()), (Some(1), ""), "{}", run.stderr);
}
