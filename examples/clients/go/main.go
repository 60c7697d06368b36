// Command stream-file streams a WAV file to Streamer and prints each final result as a line of JSON.
//
//	go run . FILE [URL [MODEL]]
//
// STREAMER_TOKEN has the token, if the server wants one. REAL_TIME=1 sends at the pace of a live source.
package main

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"os"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"
)

const framesPerMessage = 2048

// maxEventBytes is the longest event that is read. The default of the library, 32 KiB, is too short for a result with
// the times of many words.
const maxEventBytes = 16 << 20

type format struct {
	Channels   uint16 `json:"channels"`
	SampleRate uint32 `json:"sample_rate"`
	BitDepth   uint16 `json:"bit_depth"`
	IsFloat    bool   `json:"is_float"`
	Encoding   string `json:"encoding"`
}

type start struct {
	Request string `json:"request"`
	Format  format `json:"format"`
	Model   string `json:"model,omitempty"`
}

// event has the fields of all events that this program needs. A segment also has those that the model returns, such as
// text, and channel, start_time and end_time in seconds.
type event struct {
	Type    string `json:"type"`
	IsFinal *bool  `json:"is_final"`
	Code    string `json:"code"`
	Message string `json:"message"`
	Reason  string `json:"reason"`
}

// readHeader reads a WAV file up to its samples, which it returns with their format.
func readHeader(file io.Reader) (format, io.Reader, error) {
	var riff struct {
		ID   [4]byte
		Size uint32
		Form [4]byte
	}
	if err := binary.Read(file, binary.LittleEndian, &riff); err != nil || string(riff.ID[:]) != "RIFF" || string(riff.Form[:]) != "WAVE" {
		return format{}, nil, errors.New("found no WAV file; ffmpeg -i FILE audio.wav converts it")
	}
	var found format
	for {
		var chunk struct {
			ID   [4]byte
			Size uint32
		}
		if err := binary.Read(file, binary.LittleEndian, &chunk); err != nil {
			return format{}, nil, errors.New("the file ends before its audio")
		}
		size := int64(chunk.Size)
		body := io.LimitReader(file, size+size%2)
		switch string(chunk.ID[:]) {
		case "fmt ":
			var fields struct {
				Tag, Channels              uint16
				SampleRate, BytesPerSecond uint32
				FrameBytes, Bits           uint16
			}
			if err := binary.Read(body, binary.LittleEndian, &fields); err != nil || fields.Channels == 0 || fields.SampleRate == 0 || fields.FrameBytes == 0 {
				return format{}, nil, errors.New("the WAV header is damaged")
			}
			rest, err := io.ReadAll(body)
			if err != nil {
				return format{}, nil, err
			}
			tag := fields.Tag
			if tag == 0xFFFE && len(rest) >= 10 { // WAVE_FORMAT_EXTENSIBLE: the encoding stands further behind.
				tag = binary.LittleEndian.Uint16(rest[8:])
			}
			encoding, ok := map[uint16]string{1: "pcm", 3: "pcm", 6: "alaw", 7: "mulaw"}[tag]
			if !ok {
				return format{}, nil, fmt.Errorf("found encoding %d; ffmpeg -i FILE audio.wav converts it", tag)
			}
			found = format{fields.Channels, fields.SampleRate, 8 * fields.FrameBytes / fields.Channels, tag == 3, encoding}
		case "data":
			if found.Channels == 0 {
				return format{}, nil, errors.New("found no format before the audio")
			}
			if size == 0 || size == math.MaxUint32 { // A file that was written to a pipe has no size.
				return found, file, nil
			}
			return found, io.LimitReader(file, size), nil
		}
		if _, err := io.Copy(io.Discard, body); err != nil {
			return format{}, nil, err
		}
	}
}

// send sends the samples and stop. Write returns when the message has left, so that memory does not grow.
func send(ctx context.Context, conn *websocket.Conn, format format, samples io.Reader) error {
	message := make([]byte, framesPerMessage*int(format.Channels)*int(format.BitDepth)/8)
	for {
		n, err := io.ReadFull(samples, message)
		if n > 0 {
			if err := conn.Write(ctx, websocket.MessageBinary, message[:n]); err != nil {
				return err
			}
		}
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			return conn.Write(ctx, websocket.MessageText, []byte(`{"request":"stop","disconnect":true}`))
		}
		if err != nil {
			return err
		}
		if os.Getenv("REAL_TIME") != "" {
			time.Sleep(framesPerMessage * time.Second / time.Duration(format.SampleRate))
		}
	}
}

// receive prints the final results, until the stream has ended.
func receive(ctx context.Context, conn *websocket.Conn) error {
	var started bool
	var failure error
	for {
		kind, message, err := conn.Read(ctx)
		if err != nil {
			return errors.Join(failure, fmt.Errorf("the stream has not ended: %w", err))
		}
		if kind == websocket.MessageBinary {
			continue // The sound of a result, if the model returns any.
		}
		var event event
		if err := json.Unmarshal(message, &event); err != nil {
			return err
		}
		switch event.Type {
		case "started":
			started = true
		case "segment":
			if event.IsFinal == nil || *event.IsFinal {
				fmt.Printf("%s\n", message)
			}
		case "warning":
			fmt.Fprintf(os.Stderr, "warning: %s: %s\n", event.Code, event.Message)
		case "error":
			failure = errors.Join(failure, fmt.Errorf("%s: %s", event.Code, event.Message))
			if !started { // Nothing follows an error in place of started. Any other one is followed by stopped.
				return failure
			}
		case "stopped":
			if failure == nil && event.Reason != "stop" {
				failure = fmt.Errorf("the server has ended the stream: %s", event.Reason)
			}
			return failure
		}
	}
}

func run(path, url, model string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	format, samples, err := readHeader(bufio.NewReader(file))
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}

	ctx := context.Background()
	headers := http.Header{}
	if token := os.Getenv("STREAMER_TOKEN"); token != "" {
		headers.Set("Authorization", "Bearer "+token)
	}
	// While the server holds the sender back, a pong waits behind the audio, and the library gives up after 5 s. The server
	// does not need it then.
	var sending atomic.Bool
	answersPings := func(context.Context, []byte) bool { return !sending.Load() }
	options := &websocket.DialOptions{HTTPHeader: headers, OnPingReceived: answersPings}
	conn, response, err := websocket.Dial(ctx, url, options)
	if err != nil {
		if response != nil { // The server has refused: the body is an error event, too.
			body, _ := io.ReadAll(response.Body)
			return fmt.Errorf("HTTP %d: %s", response.StatusCode, body)
		}
		return err
	}
	defer conn.CloseNow()
	conn.SetReadLimit(maxEventBytes)

	request, err := json.Marshal(start{"start", format, model})
	if err != nil {
		return err
	}
	if err := conn.Write(ctx, websocket.MessageText, request); err != nil {
		return err
	}
	sent := make(chan error, 1)
	sending.Store(true)
	go func() {
		err := send(ctx, conn, format, samples)
		sending.Store(false)
		if err != nil {
			conn.CloseNow() // Ends the reading, too.
		}
		sent <- err
	}()
	if err := receive(ctx, conn); err != nil {
		conn.CloseNow() // Ends the sending, too.
		return errors.Join(err, <-sent)
	}
	return <-sent
}

func main() {
	args := append(os.Args[1:], make([]string, 3)...)
	path, url, model := args[0], args[1], args[2]
	if path == "" {
		fmt.Fprintln(os.Stderr, "usage: stream-file FILE [URL [MODEL]]")
		os.Exit(2)
	}
	if url == "" {
		url = "ws://localhost:8080/api/v1/segmented"
	}
	if err := run(path, url, model); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}
