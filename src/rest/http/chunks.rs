//! Where a chunked body ends, however it is cut. What is in it is hyper's to read: here is only as much of the form as says where it is
//! over, and nothing is taken for its end that hyper takes for something else.

/// A chunked body on its way.
#[derive(Debug, Default)]
pub struct Chunks {
    at: At,
    /// The size of the chunk, and then what is left of it.
    left: u64,
}

/// What bytes were of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Took {
    /// It goes on.
    Part,
    /// It is complete.
    All,
    /// It is none: the last byte is one that cannot be there.
    Wrong,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum At {
    #[default]
    Start,
    Size,
    /// Behind the size, where spaces may be.
    Space,
    Extension,
    SizeEnd,
    Data,
    DataCr,
    DataEnd,
    /// At the start of a line of the trailer.
    Line,
    Field,
    FieldEnd,
    End,
}

impl Chunks {
    /// Takes of `bytes` what belongs to the body, and says how much that is.
    pub fn take(&mut self, bytes: &[u8]) -> (usize, Took) {
        let mut taken = 0;
        while let Some(&byte) = bytes.get(taken) {
            if self.at == At::Data {
                let here = (bytes.len() - taken) as u64;
                let count = self.left.min(here);
                self.left -= count;
                taken += usize::try_from(count).expect("no more than there are");
                if self.left == 0 {
                    self.at = At::DataCr;
                }
                continue;
            }
            taken += 1;
            match self.step(byte) {
                Some(at) => self.at = at,
                None if self.at == At::End && byte == b'\n' => return (taken, Took::All),
                None => return (taken, Took::Wrong),
            }
        }
        (taken, Took::Part)
    }

    /// What comes after `byte`; nothing where it is the end or cannot be there.
    fn step(&mut self, byte: u8) -> Option<At> {
        Some(match (self.at, byte) {
            (At::Start | At::Size, digit) if digit.is_ascii_hexdigit() => {
                let digit = char::from(digit).to_digit(16)?;
                self.left = self.left.checked_mul(16)?.checked_add(digit.into())?;
                At::Size
            }
            (At::Size | At::Space, b' ' | b'\t') => At::Space,
            (At::Size | At::Space, b';') => At::Extension,
            (At::Size | At::Space | At::Extension, b'\r') => At::SizeEnd,
            (At::Extension, byte) if byte != b'\n' => At::Extension,
            (At::SizeEnd, b'\n') if self.left == 0 => At::Line,
            (At::SizeEnd, b'\n') => At::Data,
            (At::DataCr, b'\r') => At::DataEnd,
            (At::DataEnd, b'\n') => At::Start,
            (At::Line, b'\r') => At::End,
            (At::Field, b'\r') => At::FieldEnd,
            (At::Line | At::Field, _) => At::Field,
            (At::FieldEnd, b'\n') => At::Line,
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{Chunks, Took};

    /// What is taken of `bytes` when they come in pieces.
    fn take(bytes: &[u8], piece: usize) -> (usize, Took) {
        let (mut chunks, mut taken) = (Chunks::default(), 0);
        for piece in bytes.chunks(piece) {
            let (count, took) = chunks.take(piece);
            taken += count;
            if took != Took::Part {
                return (taken, took);
            }
        }
        (taken, Took::Part)
    }

    #[test]
    fn a_body_ends_where_it_ends() {
        for body in [
            "0\r\n\r\n",
            "00000\r\n\r\n",
            "5\r\nhello\r\n0\r\n\r\n",
            "1\r\n{\r\n1\r\n}\r\n0\r\n\r\n",
            "A\r\n0\r\n\r\n12345\r\n00;last\r\n\r\n",
            "5 \t;a=b;c=\"d;\"\r\nhello\r\n0\r\nX: y\r\nContent-Length: 3\r\n\r\n",
        ] {
            let more = format!("{body}GET / HTTP/1.1\r\n\r\n");
            for piece in [1, 2, 3, 5, 1000] {
                assert_eq!(take(more.as_bytes(), piece), (body.len(), Took::All), "{body:?} in {piece}");
                assert_eq!(take(&body.as_bytes()[..body.len() - 1], piece), (body.len() - 1, Took::Part));
            }
        }
    }

    #[test]
    fn what_is_no_body_goes_no_further() {
        for (bad, at) in [
            ("x", 1),
            ("\r\n", 1),
            (" 5\r\n", 1),
            ("5x", 2),
            ("5 5", 3),
            ("5\n", 2),
            ("5;a\n", 4),
            ("5\rx", 3),
            ("1\r\naa", 5),
            ("1\r\na\n", 5),
            ("1\r\na\rx", 6),
            ("0\r\n\rx", 5),
            ("0\r\na\rx", 6),
            ("10000000000000000\r\n", 17),
        ] {
            for piece in [1, 1000] {
                assert_eq!(take(bad.as_bytes(), piece), (at, Took::Wrong), "{bad:?}");
            }
        }
    }
}
