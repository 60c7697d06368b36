//! Streams a WAV file to Streamer and prints each final result as a line of JSON.
//!
//!     cargo run -- FILE [URL [MODEL]]
//!
//! STREAMER_TOKEN has the token, if the server wants one. REAL_TIME=1 sends at the pace of a live source.

use std::env;
use std::error::Error;
use std::fs::File;
use std::io::{BufReader, Read};
use std::process::ExitCode;
use std::time::Duration;

use futures_util::{Sink, SinkExt, Stream, StreamExt};
use serde_json::{json, Value};
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{self, Message};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const FRAMES_PER_MESSAGE: u32 = 2048;

struct Wav<R> {
    format: Value,
    sample_rate: u32,
    frame_bytes: u32,
    samples: R,
}

/// Reads a WAV file up to its samples.
fn open_wav(mut file: impl Read) -> Result<Wav<impl Read>> {
    let u16_at = |bytes: &[u8], at: usize| u16::from_le_bytes([bytes[at], bytes[at + 1]]);
    let u32_at =
        |bytes: &[u8], at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
    let mut head = [0; 12];
    file.read_exact(&mut head)?;
    if &head[..4] != b"RIFF" || &head[8..] != b"WAVE" {
        return Err("found no WAV file; ffmpeg -i FILE audio.wav converts it".into());
    }
    let mut fmt = Vec::new();
    loop {
        let mut chunk = [0; 8];
        file.read_exact(&mut chunk)?;
        let size = u64::from(u32_at(&chunk, 4));
        if &chunk[..4] == b"data" && fmt.len() >= 16 {
            let (channels, sample_rate) = (u16_at(&fmt, 2), u32_at(&fmt, 4));
            let frame_bytes = u32::from(u16_at(&fmt, 12));
            if channels == 0 || sample_rate == 0 || frame_bytes == 0 {
                return Err("the header is damaged".into());
            }
            // With 0xFFFE, WAVE_FORMAT_EXTENSIBLE, the encoding stands further behind.
            let extensible = u16_at(&fmt, 0) == 0xfffe && fmt.len() >= 26;
            let (encoding, is_float) = match u16_at(&fmt, if extensible { 24 } else { 0 }) {
                1 => ("pcm", false),
                3 => ("pcm", true),
                6 => ("alaw", false),
                7 => ("mulaw", false),
                tag => {
                    return Err(format!(
                        "found encoding {tag}; ffmpeg -i FILE audio.wav converts it"
                    )
                    .into())
                }
            };
            let bit_depth = 8 * frame_bytes / u32::from(channels);
            let format = json!({
                "channels": channels, "sample_rate": sample_rate, "bit_depth": bit_depth, "is_float": is_float,
                "encoding": encoding,
            });
            // A file that was written to a pipe has no size: its audio is the rest.
            let samples = file.take(if size == 0 || size == u64::from(u32::MAX) {
                u64::MAX
            } else {
                size
            });
            return Ok(Wav {
                format,
                sample_rate,
                frame_bytes,
                samples,
            });
        }
        let mut body = file.by_ref().take(size + size % 2);
        if &chunk[..4] == b"fmt " {
            body.read_to_end(&mut fmt)?;
        } else {
            std::io::copy(&mut body, &mut std::io::sink())?;
        }
    }
}

/// Sends the samples and `stop`. Each `send` waits until the message has left, so that memory does not grow.
async fn send(
    mut sink: impl Sink<Message, Error = tungstenite::Error> + Unpin,
    wav: Wav<impl Read>,
) -> Result<()> {
    let length = u64::from(FRAMES_PER_MESSAGE * wav.frame_bytes);
    let pace = env::var("REAL_TIME")
        .is_ok()
        .then(|| Duration::from_secs(1) * FRAMES_PER_MESSAGE / wav.sample_rate);
    let mut samples = wav.samples;
    loop {
        let mut message = Vec::new();
        samples.by_ref().take(length).read_to_end(&mut message)?;
        if message.is_empty() {
            break;
        }
        sink.send(Message::binary(message)).await?;
        if let Some(pace) = pace {
            tokio::time::sleep(pace).await;
        }
    }
    sink.send(Message::text(
        json!({ "request": "stop", "disconnect": true }).to_string(),
    ))
    .await?;
    Ok(())
}

/// Prints the final results, until the stream has ended. Returns whether all went well.
async fn receive(
    mut stream: impl Stream<Item = tungstenite::Result<Message>> + Unpin,
) -> Result<bool> {
    let (mut started, mut failed) = (false, false);
    let report = |kind: &str, event: &Value| {
        let text = |field: &str| event[field].as_str().unwrap_or_default().to_owned();
        eprintln!("{kind}: {}: {}", text("code"), text("message"));
    };
    while let Some(message) = stream.next().await {
        // Binary messages are the sound of results, if the model returns any.
        let Message::Text(text) = message? else {
            continue;
        };
        let event: Value = serde_json::from_str(&text)?;
        match event["type"].as_str() {
            Some("started") => started = true,
            // event["text"], ...: what the model returns; event["channel"], event["start_time"], event["end_time"]
            Some("segment") if event["is_final"] != false => println!("{text}"),
            Some("warning") => report("warning", &event),
            Some("error") => {
                report("error", &event);
                failed = true;
                // Nothing follows an error in place of `started`. Any other one is followed by `stopped`.
                if !started {
                    return Ok(false);
                }
            }
            Some("stopped") => return Ok(!failed && event["reason"] == "stop"),
            _ => {}
        }
    }
    Err("the server has closed the connection before the stream had ended".into())
}

async fn stream_file(path: &str, url: &str, model: Option<&str>) -> Result<bool> {
    let wav = open_wav(BufReader::new(File::open(path)?))?;
    let mut request = url.into_client_request()?;
    let token = env::var("STREAMER_TOKEN").unwrap_or_default();
    if !token.is_empty() {
        request
            .headers_mut()
            .insert("Authorization", format!("Bearer {token}").parse()?);
    }
    let (socket, _) = connect_async(request).await.map_err(|error| match error {
        // The server has refused: the body is an error event, too.
        tungstenite::Error::Http(response) => {
            let body = response.body().as_deref().unwrap_or_default();
            format!(
                "HTTP {}: {}",
                response.status(),
                String::from_utf8_lossy(body)
            )
            .into()
        }
        other => Box::<dyn Error>::from(other),
    })?;
    let (mut sink, stream) = socket.split();
    let start = json!({ "request": "start", "format": wav.format, "model": model });
    sink.send(Message::text(start.to_string())).await?;
    let (sending, receiving) = (send(sink, wav), receive(stream));
    tokio::pin!(sending, receiving);
    tokio::select! {
        sent = &mut sending => { sent?; receiving.await }
        received = &mut receiving => received,
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    let Some(path) = args.first() else {
        eprintln!("usage: stream-file FILE [URL [MODEL]]");
        return ExitCode::from(2);
    };
    let url = args
        .get(1)
        .map_or("ws://localhost:8080/api/v1/segmented", String::as_str);
    match stream_file(path, url, args.get(2).map(String::as_str)).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
