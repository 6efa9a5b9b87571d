//! Files beside data streams.

use super::*;

#[tokio::test]
async fn a_file_is_kept_and_given_back() {
    let service = Service::new();
    let id = service.add("a").await;
    let file: Vec<u8> = (0..800 * 1024).map(|it| (it % 251) as u8).collect();
    let path = format!("/bindata?device_id={id}&datastream_id=photo&desc=a%20b");
    let answer = service.send(MASTER, "POST", &path, file.clone()).await.json();
    let index = answer["data"]["index"].as_str().unwrap();
    assert!(index.starts_with(&format!("{id}_")) && index.ends_with("_photo"), "{index}");
    let kept = service.send(MASTER, "GET", &format!("/bindata/{index}"), "").await;
    assert_eq!((kept.body.len(), kept.body == file), (file.len(), true));
    assert_eq!(kept.headers["content-type"], "application/octet-stream");
    let point = service.get(&format!("/devices/{id}/datapoints")).await;
    let value = &point["datastreams"][0]["datapoints"][0]["value"];
    assert_eq!(value, &json!({ "index": index, "desc": "a b" }));

    let mut large = file;
    large.push(0);
    assert_eq!(service.send(MASTER, "POST", &path, large).await.json()["errno"], 5);
}

#[tokio::test]
async fn a_file_may_come_in_a_form() {
    let service = Service::new();
    let id = service.add("a").await;
    let uri = format!("/bindata?device_id={id}&datastream_id=f");
    let send = async |body: &'static str| {
        let request = Request::builder().method("POST").uri(&uri).header("api-key", MASTER);
        let request = request.header("content-type", "multipart/form-data; boundary=b");
        ask(&service.router, request.body(Body::from(body)).unwrap()).await.json()
    };
    let form =
        "--b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"a\"\r\n\r\nthe file\r\n--b--\r\n";
    let made = send(form).await;
    let index = made["data"]["index"].as_str().unwrap();
    assert_eq!(service.text(MASTER, "GET", &format!("/bindata/{index}"), "").await, "the file");
    assert_eq!(send("--b--").await["errno"], 9);
}

#[tokio::test]
async fn files_are_as_private_as_their_devices() {
    let service = Service::new();
    let (own, other) = (service.add("own").await, service.add("other").await);
    let path = format!("/bindata?device_id={own}&datastream_id=f");
    let index = service.data("POST", &path, "x").await["index"].as_str().unwrap().to_owned();
    let narrow = service.key(&["get", "post"], &own, Some("g")).await;
    let foreign = service.key(&["get", "post"], &other, None).await;
    let denied = error(3, "auth failed");
    for key in [&narrow, &foreign, OTHER_MASTER] {
        assert_eq!(service.refused_as(key, "POST", &path, "x").await, denied);
        assert_eq!(service.refused_as(key, "GET", &format!("/bindata/{index}"), "").await, denied);
        // Whoever writes another stream or device into an index does not get what is another's.
        let forged = index.replace("_f", "_g");
        assert_eq!(service.refused_as(key, "GET", &format!("/bindata/{forged}"), "").await, denied);
    }
    let forged = index.replace(&own, &other);
    let refused = service.refused_as(&foreign, "GET", &format!("/bindata/{forged}"), "").await;
    assert_eq!(refused, error(8, &format!("not found: file {forged}")));
    for (path, errno, text) in [
        ("/bindata", 7, "parameter required: device_id"),
        (&format!("/bindata?device_id={own}"), 7, "parameter required: datastream_id"),
        (&format!("{path}{}", "x".repeat(256)), 6, "invalid parameter: datastream_id"),
    ] {
        assert_eq!(service.refused("POST", path, "x").await, error(errno, text), "{path}");
    }
    assert_eq!(service.refused("POST", &path, "").await, error(9, "entity data required"));
    assert_eq!(service.refused("GET", "/bindata/x", "").await, error(8, "not found: file x"));
}
