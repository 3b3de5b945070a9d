package crm

import (
	"fmt"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
)

// fault is one thing that a schema does not allow.
type fault struct {
	path   []string // to the value in the document
	reason string   // repeats no value
}

// at says where a fault is, by a path, and what it is.
func (f fault) at(path []string) string {
	if len(path) == 0 {
		return f.reason
	}
	return strings.Join(path, "/") + " " + f.reason
}

// faultsOf returns the leaves of what a validator says. The others only lead to them.
func faultsOf(v *jsonschema.ValidationError) []fault {
	if len(v.Causes) == 0 {
		return []fault{{v.InstanceLocation, reason(v.ErrorKind)}}
	}
	var faults []fault
	for _, cause := range v.Causes {
		faults = append(faults, faultsOf(cause)...)
	}
	return faults
}

// reason says what is wrong with a value. The validator's own texts repeat values.
func reason(k jsonschema.ErrorKind) string {
	switch k := k.(type) {
	case *kind.Required:
		return "lacks " + strings.Join(k.Missing, ", ")
	case *kind.AdditionalProperties:
		return fmt.Sprintf("has %d fields that the schema does not know", len(k.Properties))
	case *kind.Type:
		return fmt.Sprintf("is of type %s, not %s", k.Got, strings.Join(k.Want, " or "))
	case *kind.Enum:
		return fmt.Sprintf("is not one of %v", k.Want)
	case *kind.MinLength:
		return fmt.Sprintf("has %d characters, and at least %d are needed", k.Got, k.Want)
	case *kind.MaxLength:
		return fmt.Sprintf("has %d characters, and at most %d are allowed", k.Got, k.Want)
	case *kind.MinItems:
		return fmt.Sprintf("has %d items, and at least %d are needed", k.Got, k.Want)
	case *kind.MaxItems:
		return fmt.Sprintf("has %d items, and at most %d are allowed", k.Got, k.Want)
	case *kind.Format:
		return "does not have the format " + k.Want
	case *kind.Pattern:
		return "does not match " + k.Want
	}
	if keywords := k.KeywordPath(); len(keywords) > 0 {
		return fmt.Sprintf("fails %q of the schema", keywords[len(keywords)-1])
	}
	return "is not allowed by the schema"
}
