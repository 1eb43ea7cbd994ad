// Package docs holds the documents, so that the binary can show them where there is no network.
package docs

import "embed"

// Files are the documents, by the paths that they have in this folder.
//
//go:embed *.md decisions/*.md
var Files embed.FS
