package main

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"reflect"
	"strings"

	"github.com/alecthomas/kong"
)

// environment looks up an environment variable.
type environment func(name string) (string, bool)

// source looks up a setting by its name in one of the places where settings can be.
type source func(name string) (found, bool)

// found is what a source says about a setting.
type found struct {
	text   string
	where  string // fit to be shown
	broken bool   // there is something, but not a text that can be read, which is already reported
}

// fileSuffix turns the name of a secret into the name of the setting that names its file.
const fileSuffix = "_FILE"

// settingName turns the name of a flag, or a key of the settings file, into that of the setting.
func settingName(key string) string {
	return strings.ToUpper(strings.ReplaceAll(key, "-", "_"))
}

// settingOf returns the setting behind a flag, or nil when the flag is no setting.
func settingOf(f *kong.Flag) *Value {
	v, _ := f.Target.Addr().Interface().(*Value)
	return v
}

// addFileFlags gives every secret a second flag that names the file it is in. The help of a command
// leaves these flags out; the help of cxbridge says that there is one for each secret.
func addFileFlags(k *kong.Kong) error {
	for _, cmd := range k.Model.Leaves(false) {
		for _, f := range cmd.Flags {
			if settingOf(f) == nil || !f.Tag.Has("secret") {
				continue
			}
			value, flag := *f.Value, *f
			value.Name += strings.ToLower(strings.ReplaceAll(fileSuffix, "_", "-"))
			value.Target = reflect.ValueOf(new(Value)).Elem()
			value.HasDefault, value.Default = false, ""
			value.Flag = &flag
			flag.Value, flag.Hidden = &value, true
			cmd.Flags = append(cmd.Flags, &flag)
		}
	}
	return nil
}

// load gives every setting of the chosen command its text: that of the command line, else of the
// environment, else of the settings file, else its default. It returns the problems it had in
// reading them.
func load(ctx *kong.Context, env environment) *problems {
	l := &loader{problems: &problems{}, sources: []source{commandLine(ctx), environmentSource(env)}}
	flags := ctx.Selected().Flags
	for _, f := range flags {
		if v := settingOf(f); v != nil && settingName(f.Name) == "CONFIG" {
			l.find(v, f)
			l.openFile(v, knownSettings(ctx.Model.Node))
		}
	}
	for _, f := range flags {
		if v := settingOf(f); v != nil && !f.Hidden && settingName(f.Name) != "CONFIG" {
			l.find(v, f)
		}
	}
	return l.problems
}

// serveConfig returns what the settings of `serve` mean in a command line and an environment. The
// error is that of Resolve, or one of the command line.
func serveConfig(args []string, env environment) (Config, error) {
	var c commands
	p := &program{env: env, stdout: io.Discard, stderr: io.Discard}
	parser, err := p.parser(&c)
	if err != nil {
		return Config{}, err
	}
	ctx, err := parser.Parse(append([]string{"serve"}, args...))
	if err != nil {
		return Config{}, err
	}
	return c.Serve.Resolve(load(ctx, env))
}

type loader struct {
	*problems
	sources    []source // the first one that knows a setting decides
	fileBroken bool     // so nobody knows what it sets
}

// find sets the value to what the first source that knows it says. While the settings file cannot be
// read, a setting without a source has no text: its default is not necessarily what applies.
func (l *loader) find(v *Value, f *kong.Flag) {
	*v = Value{name: settingName(f.Name), secret: f.Tag.Has("secret")}
	for _, look := range l.sources {
		hit, ok := look(v.name)
		if v.secret {
			if file, isFile := look(v.name + fileSuffix); isFile {
				hit, ok = l.readSecret(v, file, ok), true
			}
		}
		if ok {
			v.text, v.source, v.broken = hit.text, hit.where, hit.broken
			return
		}
	}
	if l.fileBroken {
		v.broken = true
		return
	}
	v.text = f.Default
}

// readSecret reads the file that a NAME_FILE setting names. Its path is not shown: it could be the
// secret itself, put there by mistake.
func (l *loader) readSecret(v *Value, file found, both bool) found {
	setting := Value{name: v.name + fileSuffix, source: file.where}
	bad := found{where: file.where, broken: true}
	if both {
		l.wrong(setting, "is set, and so is "+v.name, "set one of the two")
		return bad
	}
	data, err := os.ReadFile(file.text)
	if err != nil {
		l.wrong(setting, "names a file that cannot be read, "+reason(err), "give the path of a file that cxbridge may read")
		return bad
	}
	text := strings.TrimRight(string(data), "\r\n")
	if text == "" {
		l.wrong(setting, "names a file that is empty", "put the secret into it")
		return bad
	}
	return found{text: text, where: setting.name + ", " + file.where}
}

// reason returns the text of an error about a file, without the name of the file.
func reason(err error) string {
	var path *fs.PathError
	if errors.As(err, &path) {
		err = path.Err
	}
	return err.Error()
}

// flagSource begins the text about a flag as a source.
const flagSource = "flag --"

// commandLine is the source of the flags that were given. An empty one counts as not given.
func commandLine(ctx *kong.Context) source {
	given := make(map[string]found)
	for _, p := range ctx.Path {
		if p.Flag == nil {
			continue
		}
		if v := settingOf(p.Flag); v != nil && v.text != "" {
			given[settingName(p.Flag.Name)] = found{text: v.text, where: flagSource + p.Flag.Name}
		}
	}
	return func(name string) (found, bool) {
		hit, ok := given[name]
		return hit, ok
	}
}

// environmentSource is the source of the environment variables. An empty one counts as not set.
func environmentSource(env environment) source {
	return func(name string) (found, bool) {
		text, _ := env(name)
		return found{text: text, where: "environment"}, text != ""
	}
}

// known describes a setting for reading the settings file.
type known struct {
	list string // separator of its items; "" when it is not a list
}

// knownSettings returns every name that a settings file may hold: those of all commands, as one
// file serves them all.
func knownSettings(app *kong.Node) map[string]known {
	names := make(map[string]known)
	for _, cmd := range app.Leaves(false) {
		for _, f := range cmd.Flags {
			if settingOf(f) == nil || settingName(f.Name) == "CONFIG" {
				continue
			}
			k := known{list: f.Tag.Get("list")}
			if f.Hidden {
				k = known{}
			}
			names[settingName(f.Name)] = k
		}
	}
	return names
}
