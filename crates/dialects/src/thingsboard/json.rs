//! JSON as ThingsBoard takes it (spec thingsboard 5.1), one token after the other.
//!
//! Its parser is a lenient one, and people rely on that: a shell eats the quotes of `{"temperature":25}`. Beyond
//! RFC 8259 this reads unquoted names and words, single quotes, comments (`//`, `#`, `/* */`), `=` and `=>` for `:`,
//! and `;` for `,`; in a list, nothing between two commas is `null`. What follows the document, a missing value and an
//! unclosed bracket are mistakes all the same.
//!
//! The reader keeps its place and one bit for each open bracket, up to a depth: no input makes it grow or recurse.

use std::borrow::Cow;

use crate::limits::THINGSBOARD_DEPTH_MAX;

/// What is read next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token<'a> {
    /// `{` or `[`.
    Open(Bracket),
    /// `}` or `]`.
    Close(Bracket),
    /// The name of an object's member; its value is next.
    Name(Cow<'a, str>),
    /// A text in quotes.
    Text(Cow<'a, str>),
    /// Anything without quotes: a number, `true`, `false`, `null`, or a text whose quotes are missing.
    Word(&'a str),
}

/// What is opened and closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bracket {
    Object,
    List,
}

/// The payload is not JSON, from this byte on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mistake {
    pub(super) at: usize,
    pub(super) what: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    /// A value, and nothing else.
    Value,
    /// The first member or element, or the closing bracket.
    First,
    /// A further one.
    Further,
    /// What stands between two of them, or the closing bracket; at the top, the end.
    Between,
}

/// Reads a text.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader<'a> {
    text: &'a str,
    at: usize,
    /// A bit for each open bracket, the innermost one the lowest: 1 is an object.
    open: u64,
    depth: u32,
    next: Next,
}

const _: () = assert!(THINGSBOARD_DEPTH_MAX <= u64::BITS);

impl<'a> Reader<'a> {
    pub(super) fn new(text: &'a str) -> Reader<'a> {
        Reader { text, at: 0, open: 0, depth: 0, next: Next::Value }
    }

    fn mistake<T>(&self, what: &'static str) -> Result<T, Mistake> {
        Err(Mistake { at: self.at, what })
    }

    /// The next token. Behind the last one there is none: see [`Reader::end`].
    pub(super) fn token(&mut self) -> Result<Token<'a>, Mistake> {
        self.skip_blank()?;
        match self.next {
            Next::Value => self.value(),
            Next::First if self.closes() => self.close(),
            Next::First | Next::Further if self.is_in_object() => self.name(),
            Next::First | Next::Further => self.element(),
            Next::Between if self.depth == 0 => self.mistake("something follows the document"),
            Next::Between if self.closes() => self.close(),
            Next::Between => {
                if !matches!(self.peek(), Some(b',' | b';')) {
                    return self.mistake("a comma or the closing bracket is missing");
                }
                self.at += 1;
                self.next = Next::Further;
                self.token_behind_comma()
            }
        }
    }

    fn token_behind_comma(&mut self) -> Result<Token<'a>, Mistake> {
        self.skip_blank()?;
        if self.is_in_object() { self.name() } else { self.element() }
    }

    /// Wants the text to end here.
    pub(super) fn end(mut self) -> Result<(), Mistake> {
        self.skip_blank()?;
        if self.depth > 0 || self.next == Next::Value {
            return self.mistake("the document is not complete");
        }
        if self.at < self.text.len() {
            return self.mistake("something follows the document");
        }
        Ok(())
    }

    /// Steps over the rest of what `token` begins.
    pub(super) fn skip(&mut self, token: &Token<'a>) -> Result<(), Mistake> {
        if let Token::Open(_) = token {
            let outside = self.depth - 1;
            while self.depth > outside {
                self.token()?;
            }
        }
        Ok(())
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn is_in_object(&self) -> bool {
        self.depth > 0 && self.open & 1 == 1
    }

    fn closes(&self) -> bool {
        matches!((self.peek(), self.is_in_object()), (Some(b'}'), true) | (Some(b']'), false))
    }

    fn close(&mut self) -> Result<Token<'a>, Mistake> {
        let bracket = if self.is_in_object() { Bracket::Object } else { Bracket::List };
        self.at += 1;
        self.open >>= 1;
        self.depth -= 1;
        self.next = Next::Between;
        Ok(Token::Close(bracket))
    }

    fn open(&mut self, bracket: Bracket) -> Result<Token<'a>, Mistake> {
        if self.depth == THINGSBOARD_DEPTH_MAX {
            return self.mistake("it is nested too deeply");
        }
        self.at += 1;
        self.open = self.open << 1 | u64::from(bracket == Bracket::Object);
        self.depth += 1;
        self.next = Next::First;
        Ok(Token::Open(bracket))
    }

    fn value(&mut self) -> Result<Token<'a>, Mistake> {
        match self.peek() {
            Some(b'{') => return self.open(Bracket::Object),
            Some(b'[') => return self.open(Bracket::List),
            _ => {}
        }
        let token = match self.peek() {
            Some(quote @ (b'"' | b'\'')) => Token::Text(self.quoted(quote)?),
            _ => Token::Word(self.word()?),
        };
        self.next = Next::Between;
        Ok(token)
    }

    fn element(&mut self) -> Result<Token<'a>, Mistake> {
        if matches!(self.peek(), Some(b',' | b';' | b']')) {
            self.next = Next::Between;
            return Ok(Token::Word("null"));
        }
        self.value()
    }

    fn name(&mut self) -> Result<Token<'a>, Mistake> {
        let name = match self.peek() {
            Some(quote @ (b'"' | b'\'')) => self.quoted(quote)?,
            _ => Cow::Borrowed(self.word()?),
        };
        self.skip_blank()?;
        match self.peek() {
            Some(b':') => self.at += 1,
            Some(b'=') => {
                self.at += 1;
                self.at += usize::from(self.peek() == Some(b'>'));
            }
            _ => return self.mistake("a colon is missing behind the name"),
        }
        self.next = Next::Value;
        Ok(Token::Name(name))
    }

    /// What stands without quotes.
    fn word(&mut self) -> Result<&'a str, Mistake> {
        let ends = |it: &u8| {
            matches!(
                it,
                b'/' | b'\\'
                    | b';'
                    | b'#'
                    | b'='
                    | b'{'
                    | b'}'
                    | b'['
                    | b']'
                    | b':'
                    | b','
                    | b' '
                    | b'\t'
                    | b'\x0C'
                    | b'\r'
                    | b'\n'
            )
        };
        let rest = &self.text[self.at..];
        let len = rest.bytes().position(|it| ends(&it)).unwrap_or(rest.len());
        if len == 0 {
            return self.mistake("a value or name is missing");
        }
        self.at += len;
        Ok(&rest[..len])
    }

    fn quoted(&mut self, quote: u8) -> Result<Cow<'a, str>, Mistake> {
        self.at += 1;
        let rest = &self.text[self.at..];
        let Some(len) = rest.bytes().position(|it| it == quote || it == b'\\') else {
            return self.mistake("a quote is not closed");
        };
        if rest.as_bytes()[len] == quote {
            self.at += len + 1;
            return Ok(Cow::Borrowed(&rest[..len]));
        }
        let mut text = rest[..len].to_owned();
        self.at += len;
        loop {
            match self.peek() {
                None => return self.mistake("a quote is not closed"),
                Some(it) if it == quote => {
                    self.at += 1;
                    return Ok(Cow::Owned(text));
                }
                Some(b'\\') => {
                    self.at += 1;
                    text.push(self.escaped()?);
                }
                Some(_) => {
                    let rest = &self.text[self.at..];
                    let len = rest.bytes().position(|it| it == quote || it == b'\\').unwrap_or(rest.len());
                    text.push_str(&rest[..len]);
                    self.at += len;
                }
            }
        }
    }

    /// The character behind a backslash. Half a surrogate pair is no character: U+FFFD stands for it.
    fn escaped(&mut self) -> Result<char, Mistake> {
        let Some(byte) = self.peek() else { return self.mistake("a quote is not closed") };
        self.at += 1;
        Ok(match byte {
            b'n' => '\n',
            b't' => '\t',
            b'r' => '\r',
            b'b' => '\x08',
            b'f' => '\x0C',
            b'"' | b'\'' | b'\\' | b'/' | b'\n' => char::from(byte),
            b'u' => {
                let first = self.four_digits()?;
                let is_pair = (0xD800..0xDC00).contains(&first) && self.text[self.at..].starts_with("\\u");
                if !is_pair {
                    return Ok(char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER));
                }
                let before = self.at;
                self.at += 2;
                let second = self.four_digits()?;
                if !(0xDC00..0xE000).contains(&second) {
                    self.at = before;
                    return Ok(char::REPLACEMENT_CHARACTER);
                }
                let code = 0x1_0000 + ((first - 0xD800) << 10) + (second - 0xDC00);
                char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER)
            }
            _ => {
                self.at -= 1;
                return self.mistake("this may not follow a backslash");
            }
        })
    }

    fn four_digits(&mut self) -> Result<u32, Mistake> {
        let digits = self.text.as_bytes().get(self.at..self.at + 4);
        let digits = digits.filter(|it| it.iter().all(u8::is_ascii_hexdigit));
        let Some(digits) = digits.and_then(|it| std::str::from_utf8(it).ok()) else {
            return self.mistake("four hexadecimal digits are missing");
        };
        self.at += 4;
        Ok(u32::from_str_radix(digits, 16).unwrap_or(0))
    }

    /// Steps over blanks and comments.
    fn skip_blank(&mut self) -> Result<(), Mistake> {
        loop {
            let rest = &self.text.as_bytes()[self.at..];
            match rest {
                [b' ' | b'\t' | b'\r' | b'\n', ..] => self.at += 1,
                [b'#', ..] | [b'/', b'/', ..] => {
                    self.at += rest.iter().position(|it| *it == b'\n').unwrap_or(rest.len());
                }
                [b'/', b'*', inner @ ..] => {
                    let Some(len) = inner.windows(2).position(|it| it == b"*/") else {
                        return self.mistake("a comment is not closed");
                    };
                    self.at += len + 4;
                }
                _ => return Ok(()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

    use super::*;

    /// The tokens of a text, in a form that is easy to compare.
    fn tokens(text: &str) -> Result<String, Mistake> {
        let mut reader = Reader::new(text);
        let mut all = Vec::new();
        loop {
            all.push(match reader.token()? {
                Token::Open(Bracket::Object) => "{".to_owned(),
                Token::Open(Bracket::List) => "[".to_owned(),
                Token::Close(Bracket::Object) => "}".to_owned(),
                Token::Close(Bracket::List) => "]".to_owned(),
                Token::Name(it) => format!("{it}:"),
                Token::Text(it) => format!("\"{it}\""),
                Token::Word(it) => it.to_owned(),
            });
            if reader.depth == 0 {
                reader.end()?;
                return Ok(all.join(" "));
            }
        }
    }

    #[test]
    fn what_is_strict_and_what_is_lenient_is_read() {
        for (text, expected) in [
            (r#"{"a":1,"b":[true,"x",{}],"c":null}"#, r#"{ a: 1 b: [ true "x" { } ] c: null }"#),
            ("{temperature:25}", "{ temperature: 25 }"),
            ("{temperature:25,state:on}", "{ temperature: 25 state: on }"),
            ("{'a':'it''s'}", ""),
            (r"{'a':'it\'s'}", r#"{ a: "it's" }"#),
            ("{a=1;b=>2}", "{ a: 1 b: 2 }"),
            ("# first\n{a: // one\n1, /* two */ b:2}", "{ a: 1 b: 2 }"),
            ("[1,,2,]", "[ 1 null 2 null ]"),
            ("[]", "[ ]"),
            (" 42 ", "42"),
            (r#""text""#, r#""text""#),
            (r#"["\u00e4\n\/\ud83d\ude00\ud800x"]"#, "[ \"ä\n/😀\u{FFFD}x\" ]"),
            (r#"{"a":{"b":[[]]}}"#, "{ a: { b: [ [ ] ] } }"),
            ("{\"ä\":ö}", "{ ä: ö }"),
        ] {
            match expected {
                "" => _ = tokens(text).unwrap_err(),
                expected => assert_eq!(tokens(text).as_deref(), Ok(expected), "{text}"),
            }
        }
    }

    #[test]
    fn what_is_malformed_is_found_where_it_is() {
        for (text, at) in [
            ("", 0),
            ("  ", 2),
            (r#"{"k":,}"#, 5),
            (r#"{"k":}"#, 5),
            (r#"{"k":1"#, 6),
            (r#"{"k":1,}"#, 7),
            (r#"{"k"}"#, 4),
            (r#"{"k":1} x"#, 8),
            (r#"{"k":1}{"#, 7),
            ("[1", 2),
            ("[1}", 2),
            ("{]", 1),
            (r#"{"k":"v}"#, 6),
            (r#"["\x"]"#, 3),
            (r#"["\u00g0"]"#, 4),
            ("[1 2]", 3),
            ("/* open", 0),
            ("a b", 2),
        ] {
            assert_eq!(tokens(text).map_err(|it| it.at), Err(at), "{text}");
        }
    }

    #[test]
    fn depth_is_bounded() {
        let depth = THINGSBOARD_DEPTH_MAX as usize;
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(tokens(&nested(depth)).is_ok());
        assert_eq!(tokens(&nested(depth + 1)).unwrap_err().at, depth);
        assert_eq!(tokens(&"[".repeat(1_000_000)).unwrap_err().at, depth);
        let objects = format!("{}1{}", "{a:".repeat(depth), "}".repeat(depth));
        assert!(tokens(&objects).is_ok());
    }

    #[test]
    fn skipping_leads_behind_what_was_begun() {
        let mut reader = Reader::new(r#"{"a":{"x":[1,{}]},"b":2}"#);
        reader.token().unwrap();
        reader.token().unwrap();
        let begun = reader.token().unwrap();
        reader.skip(&begun).unwrap();
        assert_eq!(reader.token(), Ok(Token::Name("b".into())));
    }
}
