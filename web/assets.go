package web

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"mime"
	"net/http"
	"path"
	"strconv"
	"strings"

	"github.com/midwatch/midwatch/draw"
)

//go:embed static/*.css static/*.js
var static embed.FS

// An asset is a file that a page refers to. Its name holds a hash of what is in it, so that it may be kept for ever.
type asset struct {
	name, kind  string
	plain, gzip []byte
}

var assets, assetNames = readAssets()

// readAssets makes the assets, by their public names, and a map from the names of the files to those.
func readAssets() (byName map[string]asset, names map[string]string) {
	byName, names = map[string]asset{}, map[string]string{}
	entries, err := static.ReadDir("static")
	if err != nil {
		panic(err) // they are part of the binary
	}
	for _, e := range entries {
		body := must(static.ReadFile("static/" + e.Name()))
		if e.Name() == "app.css" {
			body = append(body, draw.Style()...) // figures in pages may bring no style of their own
		}
		sum := sha256.Sum256(body)
		ext := path.Ext(e.Name())
		a := asset{
			name: strings.TrimSuffix(e.Name(), ext) + "." + hex.EncodeToString(sum[:6]) + ext,
			kind: mime.TypeByExtension(ext), plain: body, gzip: compressed(body, gzip.BestCompression),
		}
		byName[a.name], names[e.Name()] = a, a.name
	}
	return byName, names
}

func compressed(body []byte, level int) []byte {
	var b bytes.Buffer
	z, err := gzip.NewWriterLevel(&b, level)
	if err != nil {
		panic(err) // our own levels
	}
	_, _ = z.Write(body) // a Buffer takes all
	_ = z.Close()
	return b.Bytes()
}

// asset answers a style sheet or a script.
func (p *Pages) asset(w http.ResponseWriter, r *http.Request) {
	a, ok := assets[r.PathValue("file")]
	if !ok {
		http.Error(w, "There is no such file; load the page again.", http.StatusNotFound)
		return
	}
	h := w.Header()
	h.Set("Content-Type", a.kind)
	h.Set("Cache-Control", "public, max-age=31536000, immutable")
	h.Set("Vary", "Accept-Encoding")
	h.Set("X-Content-Type-Options", "nosniff")
	body := a.plain
	if takesGzip(r) {
		h.Set("Content-Encoding", "gzip")
		body = a.gzip
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	if r.Method != http.MethodHead {
		_, _ = w.Write(body)
	}
}

// takesGzip reports whether whoever asks can read gzip.
func takesGzip(r *http.Request) bool {
	for part := range strings.SplitSeq(r.Header.Get("Accept-Encoding"), ",") {
		coding, params, _ := strings.Cut(strings.TrimSpace(part), ";")
		if strings.EqualFold(coding, "gzip") {
			q, given := strings.CutPrefix(strings.ReplaceAll(params, " ", ""), "q=")
			return !given || strings.Trim(q, "0.") != ""
		}
	}
	return false
}
