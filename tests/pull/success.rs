//! What works: choosing a file, fetching it once, using it by its name, split models, files from anywhere, the token.

use crate::hub::{COMMIT, Puller, hash, hub, hub_with, listed, model_bytes, reply};
use crate::server::{Reply, Server};

#[test]
fn a_model_is_fetched_once_and_runs_by_its_name() {
    let bytes = model_bytes();
    let hub = hub(vec![
        listed("README.md", b"text"),
        listed("m-Q8_0.gguf", b"not this one"),
        listed("mmproj-m-Q4_K_M.gguf", b"nor this one"),
        listed("m-Q4_K_M.gguf", &bytes),
    ]);
    let puller = Puller::new(&hub);
    let run = puller.run(&["pull", "own/repo"]);
    assert!(
        run.stderr.contains("own/repo:Q4_K_M: downloaded") && run.stderr.contains("SHA-256"),
        "{}",
        run.stderr
    );
    let path = puller.cached("m-Q4_K_M.gguf");
    assert_eq!(run.ok(), format!("{}\n", path.display()));
    assert!(std::fs::read(&path).unwrap() == bytes);
    let sum = std::fs::read_to_string(puller.cached("m-Q4_K_M.gguf.sha256")).unwrap();
    assert_eq!(sum, format!("{}  m-Q4_K_M.gguf\n", hash(&bytes)));
    assert_eq!(puller.files().len(), 2, "{:?}", puller.files());

    let again = puller.run(&["pull", "own/repo:q4_k_m"]);
    assert!(again.stderr.contains("already"), "{}", again.stderr);
    again.ok();
    assert_eq!(hub.count("/resolve/"), 1);

    let generate = ["generate", "-n", "5", "--seed", "1", "Once upon a time"];
    let expected = puller.siskin.run([&generate[..], &["-m", path.to_str().unwrap()]].concat()).ok();
    for name in ["own/repo:Q4_K_M", "own/repo", "own/repo:m-Q4_K_M.gguf"] {
        assert_eq!(puller.run(&[&generate[..], &["-m", name]].concat()).ok(), expected, "{name}");
    }
    assert!(puller.run(&["inspect", "own/repo"]).ok().contains("llama"));
    let list = puller.run(&["pull", "--list"]).ok();
    assert!(list.starts_with("own/repo:Q4_K_M ") && list.contains(path.to_str().unwrap()), "{list}");
    assert_eq!(list.lines().count(), 1, "{list}");
}

#[test]
fn a_new_version_replaces_the_old_one() {
    let bytes = model_bytes();
    let first = hub(vec![listed("m-Q4_0.gguf", &bytes)]);
    let puller = Puller::new(&first);
    puller.pull("own/repo").ok();
    let newer = [&bytes[..], b"more"].concat();
    let second = hub(vec![listed("m-Q4_0.gguf", &newer)]);
    let other = Puller::new(&second);
    let cache = puller.siskin.dir.path().join("cache");
    let args = ["pull", "own/repo"];
    other.run_with(&args, &[("SISKIN_CACHE", cache.to_str().unwrap())]).ok();
    assert!(std::fs::read(puller.cached("m-Q4_0.gguf")).unwrap() == newer);
    let sum = std::fs::read_to_string(puller.cached("m-Q4_0.gguf.sha256")).unwrap();
    assert!(sum.starts_with(&hash(&newer)), "{sum}");
}

#[test]
fn all_parts_of_a_split_model_are_fetched() {
    let bytes = model_bytes();
    let names = [1, 2, 3].map(|no| format!("Q4_0/m-Q4_0-0000{no}-of-00003.gguf"));
    let hub = hub(names.iter().map(|name| listed(name, &bytes)).collect());
    let puller = Puller::new(&hub);
    let run = puller.pull("own/repo");
    assert!(run.stderr.contains("(2 of 3)"), "{}", run.stderr);
    assert_eq!(run.ok(), format!("{}\n", puller.cached(&names[0]).display()));
    assert!(names.iter().all(|name| std::fs::read(puller.cached(name)).unwrap() == bytes));
    assert!(puller.run(&["pull", "--list"]).ok().starts_with("own/repo:Q4_0 "));
}

#[test]
fn a_file_from_anywhere() {
    let bytes = model_bytes();
    let file = bytes.clone();
    let server = Server::start(move |request| match request.target.as_str() {
        "/x/m.gguf?key=1" => Reply::redirect("/y/m.gguf"),
        "/y/m.gguf" => Reply::file(request, &file),
        _ => Reply::new(404, ""),
    });
    let puller = Puller::new(&server);
    let url = server.url("/x/m.gguf?key=1");
    let run = puller.pull(&url);
    assert!(run.stderr.contains("states no hash") && !run.stderr.contains("key=1"), "{}", run.stderr);
    let path = puller.siskin.dir.path().join(format!("cache/url/127.0.0.1_{}/x/m.gguf", server.port()));
    assert_eq!(run.ok(), format!("{}\n", path.display()));
    assert!(std::fs::read(path).unwrap() == bytes);
    puller.run(&["generate", "-m", &url, "-n", "2", "Once"]).ok();
    assert!(puller.pull(&url).stderr.contains("already"));
}

#[test]
fn the_list_may_have_several_pages_and_another_revision() {
    let bytes = model_bytes();
    let files = vec![listed("m-Q8_0.gguf", b"x"), listed("m-Q4_0.gguf", &bytes)];
    let server = Server::start(move |request| match request.target.as_str() {
        "/api/models/own/repo/revision/v2" => Reply::new(200, format!(r#"{{"sha":"{COMMIT}"}}"#)),
        target if target.ends_with("?recursive=true") => {
            let next = format!("</api/models/own/repo/tree/{COMMIT}?cursor=2>; rel=\"next\"");
            reply(&files[..1], request).with("link", &next)
        }
        target if target.ends_with("?cursor=2") => reply(&files[1..], request),
        _ => reply(&files, request),
    });
    let puller = Puller::new(&server);
    puller.pull("own/repo@v2:q4_0").ok();
    let path = puller.siskin.dir.path().join("cache/hub/own/repo@v2/m-Q4_0.gguf");
    assert!(std::fs::read(path).unwrap() == bytes);
}

/// The other server is the same machine, but another port: somebody else.
#[test]
fn the_token_goes_to_the_hub_only() {
    let bytes = model_bytes();
    let cdn = {
        let bytes = bytes.clone();
        Server::start(move |request| match request.target.as_str() {
            "/blob?signature=1" => Reply::file(request, &bytes),
            _ => Reply::new(404, ""),
        })
    };
    let to = cdn.url("/blob?signature=1");
    let hub = hub_with(move |_, _| Reply::redirect(&to));
    let puller = Puller::with_token(&hub, "hf_secret");
    puller.pull("own/repo").ok();
    let tokens = |server: &Server| -> Vec<Option<String>> {
        let requests = server.requests();
        requests.iter().map(|request| request.header("authorization").map(str::to_owned)).collect()
    };
    assert_eq!(tokens(&hub), vec![Some("Bearer hf_secret".to_owned()); 3]);
    assert_eq!(tokens(&cdn), [None]);
    // A URL on another server gets none either.
    puller.run(&["pull", &cdn.url("/other.gguf")]);
    assert_eq!(tokens(&cdn), [None, None]);
}

#[test]
fn the_token_does_not_come_back_with_a_redirect() {
    let there = Server::start(|request| {
        let back = request.target.trim_start_matches("/to/").to_owned();
        Reply::redirect(&format!("http://127.0.0.1:{back}/end"))
    });
    let to = there.port();
    let hub = Server::start(move |request| match request.target.as_str() {
        "/end" => Reply::new(404, ""),
        _ => {
            let port = request.header("host").and_then(|host| host.split(':').nth(1)).unwrap_or_default();
            Reply::redirect(&format!("http://127.0.0.1:{to}/to/{port}"))
        }
    });
    Puller::with_token(&hub, "hf_secret").pull("own/repo").fails(1, &["not found"]);
    let requests = hub.requests();
    let [first, last] = &requests[..] else { panic!("{requests:?}") };
    assert_eq!(
        (first.header("authorization"), last.header("authorization")),
        (Some("Bearer hf_secret"), None)
    );
}

#[test]
fn a_model_is_planned_where_it_is() {
    // far more than a connection takes up that nobody reads from
    let mut bytes = model_bytes();
    bytes.resize(40 << 20, 0);
    let hub = hub(vec![listed("m-Q4_K_M.gguf", &bytes)]);
    let puller = Puller::new(&hub);
    let plan = puller.run(&["plan", "own/repo", "--no-probe"]).ok();
    assert!(plan.contains("own/repo:Q4_K_M") && plan.contains("kv: attention"), "{plan}");
    assert!(!puller.cached("m-Q4_K_M.gguf").exists());
    let sent = hub.sent();
    assert!((1 << 16..24 << 20).contains(&sent), "{sent} bytes were sent for the header");
    puller.pull("own/repo").ok();
    let local = puller.run(&["plan", "own/repo", "--no-probe", "--json"]).json();
    assert_eq!(local["mapped"], bytes.len());
    puller.run(&["plan", "own/repo:Q8_0"]).fails(2, &["Q8_0"]);
}
