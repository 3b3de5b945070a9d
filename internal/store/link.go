package store

import "github.com/cxbridge/cxbridge/internal/thread"

// LinkRoots returns the threads from which a worker who has the thread looks up: the thread, if it is
// linked, and its loose parents.
func (r *ThreadRow) LinkRoots() []string {
	if parent, _ := r.Parent(); parent == "" {
		return r.Links.Loose
	}
	return append([]string{r.ID}, r.Links.Loose...)
}

// LinksAbove picks the links of some threads and of all above them from those that were read for many.
// With the LinkRoots of a row it returns the Links of its Work.
func LinksAbove(roots []string, links map[string]thread.Link) map[string]thread.Link {
	found := make(map[string]thread.Link)
	for _, id := range roots {
		for link, isLinked := links[id]; isLinked; link, isLinked = links[id] {
			if _, isFound := found[id]; isFound {
				break
			}
			found[id] = link
			id = link.Parent
		}
	}
	return found
}
