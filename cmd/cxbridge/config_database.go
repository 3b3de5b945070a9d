package main

import (
	"net/url"
	"slices"
	"strings"

	"github.com/cxbridge/cxbridge/internal/store/postgres"
)

// Database says where the truth is kept. Exactly one of its fields is set. It prints without the
// password.
type Database struct {
	SQLite   string // path of the file
	Postgres Secret // URL
}

// The ways to write DATABASE_URL, shown to anyone who wrote it otherwise.
const (
	rightDatabase = "give sqlite:PATH, or postgres://USER:PASSWORD@HOST:5432/DATABASE"
	rightPostgres = "give postgres://USER:PASSWORD@HOST:5432/DATABASE, with signs in the password percent-encoded"
)

// database reads DATABASE_URL. Its problems do not repeat the text, which may hold a password.
func (p *resolver) database(v Value) Database {
	text := strings.TrimSpace(v.text)
	scheme, rest, ok := strings.Cut(text, ":")
	switch strings.ToLower(scheme) {
	case "sqlite":
		return p.sqlite(v, rest)
	case "postgres", "postgresql":
		return p.postgres(v, text)
	}
	switch {
	case v.broken:
	case ok:
		p.wrong(v, "names no database that cxbridge knows", rightDatabase)
	default:
		p.wrong(v, "does not say which kind of database it is", rightDatabase)
	}
	return Database{}
}

// sqlite takes the path as it is. Of the forms with slashes it accepts only the one that can mean
// just one path: sqlite:///absolute/path.
func (p *resolver) sqlite(v Value, path string) Database {
	if rest, slashes := strings.CutPrefix(path, "//"); slashes {
		if !strings.HasPrefix(rest, "/") {
			p.wrong(v, "has two slashes after sqlite:", "give sqlite:PATH, as in sqlite:cxbridge.db or sqlite:/var/lib/cxbridge/cxbridge.db")
			return Database{}
		}
		path = rest
	}
	switch {
	case path == "" || strings.HasSuffix(path, "/"):
		p.wrong(v, "names no file", "give sqlite:PATH, as in sqlite:cxbridge.db")
		return Database{}
	case strings.Contains(path, ":memory:"):
		p.wrong(v, "is a database in memory, which loses everything with the process", "give the path of a file")
		return Database{}
	}
	return Database{SQLite: path}
}

func (p *resolver) postgres(v Value, text string) Database {
	modes := []string{"", "disable", "allow", "prefer", "require", "verify-ca", "verify-full"}
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Opaque != "" || u.Fragment != "":
		p.wrong(v, "is not a URL", rightPostgres)
	case u.Host == "" && u.Query().Get("host") == "":
		p.wrong(v, "names no host", rightPostgres)
	case !slices.Contains(modes, u.Query().Get("sslmode")):
		p.wrong(v, "has an unknown sslmode", "use one of "+strings.Join(modes[1:], ", "))
	default:
		if err := postgres.CheckURL(text); err != nil {
			p.wrong(v, "cannot be used: "+strings.TrimPrefix(err.Error(), "postgres: "), rightPostgres)
			return Database{}
		}
		return Database{Postgres: Secret(text)}
	}
	return Database{}
}

// String returns the setting without passwords.
func (d Database) String() string {
	if d.Postgres == "" {
		return "sqlite:" + d.SQLite
	}
	u, err := url.Parse(d.Postgres.Reveal())
	if err != nil {
		return "postgres://***"
	}
	// The stars are put in after encoding, which would spell them %2A.
	const mark = "redacted-password"
	if _, has := u.User.Password(); has {
		u.User = url.UserPassword(u.User.Username(), mark)
	}
	q := u.Query()
	for key := range q {
		if strings.Contains(strings.ToLower(key), "password") {
			q.Set(key, mark)
		}
	}
	u.RawQuery = q.Encode()
	return strings.ReplaceAll(u.String(), mark, "***")
}

// GoString implements fmt.GoStringer, for %#v.
func (d Database) GoString() string { return d.String() }
