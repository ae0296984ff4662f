//! A small RFB server that draws a simulated guest's screen: colour bars, its name, and the last
//! keys. Protocol 3.8 without authentication, raw encoding only (RFC 6143).

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

use super::super::Duplex;
use super::font;

pub(super) const WIDTH: u16 = 640;
pub(super) const HEIGHT: u16 = 400;
/// Longest clipboard text that a client may send, in bytes.
const CUT_TEXT_MAX: u32 = 1 << 20;
const KEYS_SHOWN: usize = 24;
const BARS: [u32; 8] = [
    0x00c0_c0c0,
    0x00c0_c000,
    0x0000_c0c0,
    0x0000_c000,
    0x00c0_00c0,
    0x00c0_0000,
    0x0000_00c0,
    0x0020_2020,
];

/// The client's end of a new connection.
pub(super) fn serve(name: &str, uid: &str) -> Box<dyn Duplex> {
    let (client, server) = tokio::io::duplex(64 << 10);
    let mut session = Session {
        stream: server,
        name: name.to_owned(),
        uid: uid.to_owned(),
        format: PixelFormat::default(),
        keys: String::new(),
        changed: true,
        waiting: false,
    };
    // An error is the client's going away or talking nonsense; both end the connection.
    tokio::spawn(async move { session.run().await.is_ok() });
    Box::new(client)
}

struct Session {
    stream: DuplexStream,
    name: String,
    uid: String,
    format: PixelFormat,
    keys: String,
    changed: bool,
    /// The client asked for the next change.
    waiting: bool,
}

struct PixelFormat {
    bytes: usize,
    big_endian: bool,
    max: [u16; 3],
    shift: [u8; 3],
}

impl Default for PixelFormat {
    fn default() -> Self {
        Self { bytes: 4, big_endian: false, max: [255; 3], shift: [16, 8, 0] }
    }
}

type Io<T> = std::io::Result<T>;

impl Session {
    async fn run(&mut self) -> Io<()> {
        self.shake_hands().await?;
        loop {
            match self.stream.read_u8().await? {
                0 => self.set_pixel_format().await?,
                2 => {
                    self.skip(1).await?;
                    let encodings = self.stream.read_u16().await?;
                    self.skip(usize::from(encodings) * 4).await?;
                }
                3 => {
                    let incremental = self.stream.read_u8().await? != 0;
                    self.skip(8).await?;
                    self.waiting = true;
                    self.changed |= !incremental;
                }
                4 => self.key().await?,
                5 => self.skip(5).await?,
                6 => {
                    self.skip(3).await?;
                    let length = self.stream.read_u32().await?;
                    self.skip(length.min(CUT_TEXT_MAX) as usize).await?;
                }
                _ => return Err(std::io::ErrorKind::InvalidData.into()),
            }
            if self.waiting && self.changed {
                self.send_frame().await?;
            }
        }
    }

    async fn shake_hands(&mut self) -> Io<()> {
        self.stream.write_all(b"RFB 003.008\n").await?;
        self.skip(12).await?;
        // One security type: none.
        self.stream.write_all(&[1, 1]).await?;
        self.skip(1).await?;
        self.stream.write_u32(0).await?;
        self.skip(1).await?;
        self.stream.write_u16(WIDTH).await?;
        self.stream.write_u16(HEIGHT).await?;
        let format = [32, 24, 0, 1, 0, 255, 0, 255, 0, 255, 16, 8, 0, 0, 0, 0];
        self.stream.write_all(&format).await?;
        let name = self.name.clone();
        self.stream.write_u32(u32::try_from(name.len()).unwrap_or(0)).await?;
        self.stream.write_all(name.as_bytes()).await
    }

    async fn set_pixel_format(&mut self) -> Io<()> {
        let mut message = [0; 19];
        self.stream.read_exact(&mut message).await?;
        let format = &message[3..];
        let word = |at: usize| u16::from_be_bytes([format[at], format[at + 1]]);
        self.format = PixelFormat {
            bytes: match format[0] {
                8 => 1,
                16 => 2,
                32 => 4,
                _ => return Err(std::io::ErrorKind::InvalidData.into()),
            },
            big_endian: format[2] != 0,
            max: [word(4), word(6), word(8)],
            shift: [format[10] & 31, format[11] & 31, format[12] & 31],
        };
        self.changed = true;
        Ok(())
    }

    async fn key(&mut self) -> Io<()> {
        let down = self.stream.read_u8().await? != 0;
        self.skip(2).await?;
        let symbol = self.stream.read_u32().await?;
        // Printable Latin-1 symbols are their own code; 0xff08 is Backspace.
        match (down, char::from_u32(symbol)) {
            (true, Some(key @ ' '..='~')) => self.keys.push(key),
            (true, _) if symbol == 0xff08 => drop(self.keys.pop()),
            _ => return Ok(()),
        }
        if self.keys.len() > KEYS_SHOWN {
            self.keys.remove(0);
        }
        self.changed = true;
        Ok(())
    }

    async fn send_frame(&mut self) -> Io<()> {
        let mut message = vec![0, 0, 0, 1, 0, 0, 0, 0];
        message.extend_from_slice(&WIDTH.to_be_bytes());
        message.extend_from_slice(&HEIGHT.to_be_bytes());
        message.extend_from_slice(&[0; 4]);
        for pixel in draw(&self.name, &self.uid, &self.keys) {
            self.format.put(pixel, &mut message);
        }
        (self.waiting, self.changed) = (false, false);
        self.stream.write_all(&message).await
    }

    async fn skip(&mut self, count: usize) -> Io<()> {
        let mut left = vec![0; count.min(4096)];
        let mut todo = count;
        while todo > 0 {
            let part = todo.min(left.len());
            todo -= self.stream.read_exact(&mut left[..part]).await?;
        }
        Ok(())
    }
}

impl PixelFormat {
    fn put(&self, pixel: u32, to: &mut Vec<u8>) {
        let [_, red, green, blue] = pixel.to_be_bytes();
        let mut value = 0_u32;
        for (channel, (max, shift)) in
            [red, green, blue].into_iter().zip(self.max.into_iter().zip(self.shift))
        {
            value |= (u32::from(channel) * u32::from(max) / 255) << shift;
        }
        if self.big_endian {
            to.extend_from_slice(&value.to_be_bytes()[4 - self.bytes..]);
        } else {
            to.extend_from_slice(&value.to_le_bytes()[..self.bytes]);
        }
    }
}

/// The picture, row by row, as `0x00RRGGBB`.
fn draw(name: &str, uid: &str, keys: &str) -> Vec<u32> {
    let (width, height) = (usize::from(WIDTH), usize::from(HEIGHT));
    let mut picture = vec![0x0010_1820; width * height];
    for (at, pixel) in picture[..width * height / 4].iter_mut().enumerate() {
        *pixel = BARS[at % width * BARS.len() / width];
    }
    let mut write = |text: &str, row: usize, scale: usize| {
        font::write(&mut picture, width, (24, row), scale, text);
    };
    write(name, 140, 6);
    write(uid, 200, 3);
    write("SIMULATED GUEST", 240, 4);
    write(&format!("> {keys}"), 300, 4);
    picture
}
