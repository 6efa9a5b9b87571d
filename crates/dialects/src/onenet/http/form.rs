//! The one file in a form, for clients that send files as browsers do (spec onenet 8.9).

/// The file in a body of this content type: its first part with a file's name, or the first of all. `None`: it is a
/// form, and there is none in it. A body of another type is the file itself.
pub fn file<'b>(content_type: Option<&str>, body: &'b [u8]) -> Option<&'b [u8]> {
    let Some(boundary) = content_type.and_then(boundary) else { return Some(body) };
    let delimiter = [b"--", boundary.as_bytes()].concat();
    let (mut rest, mut first) = (after(body, &delimiter)?, None);
    while let Some(part) = rest.strip_prefix(b"\r\n") {
        let within = [b"\r\n", &*delimiter].concat();
        let end = find(part, &within)?;
        let (part, next) = (part.get(..end)?, part.get(end + within.len()..)?);
        let head_len = find(part, b"\r\n\r\n")?;
        let (head, content) = (part.get(..head_len)?, part.get(head_len + 4..)?);
        if find(head, b"filename").is_some() {
            return Some(content);
        }
        first = first.or(Some(content));
        rest = next;
    }
    first
}

fn boundary(content_type: &str) -> Option<&str> {
    let (kind, parameters) = content_type.split_once(';')?;
    if !kind.trim().eq_ignore_ascii_case("multipart/form-data") {
        return None;
    }
    let found = parameters.split(';').find_map(|it| it.trim().strip_prefix("boundary="))?;
    Some(found.trim_matches('"')).filter(|it| !it.is_empty())
}

fn after<'b>(bytes: &'b [u8], what: &[u8]) -> Option<&'b [u8]> {
    bytes.get(find(bytes, what)? + what.len()..)
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|it| it == what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_of_a_form_is_found() {
        const TYPE: Option<&str> = Some("multipart/form-data; charset=x; boundary=\"b-1\"");
        let part = |head: &str, content: &str| format!("--b-1\r\n{head}\r\n\r\n{content}\r\n");
        let named = part("Content-Disposition: form-data; name=\"f\"; filename=\"a.bin\"", "--b\r\n\0x");
        let field = part("Content-Disposition: form-data; name=\"x\"", "5");
        for (body, expected) in [
            (format!("{named}--b-1--\r\n"), Some("--b\r\n\0x")),
            (format!("preamble\r\n{field}{named}{field}--b-1--"), Some("--b\r\n\0x")),
            (format!("{field}--b-1--"), Some("5")),
            ("--b-1--".to_owned(), None),
            (field.clone(), None),
            ("--b-1\r\nhead".to_owned(), None),
            (String::new(), None),
        ] {
            let found = file(TYPE, body.as_bytes());
            assert_eq!(found, expected.map(str::as_bytes), "{body:?}");
        }
        for other in [
            None,
            Some("application/octet-stream"),
            Some("multipart/form-data"),
            Some("multipart/form-data; boundary="),
        ] {
            assert_eq!(file(other, b"--b-1"), Some(&b"--b-1"[..]), "{other:?}");
        }
    }
}
