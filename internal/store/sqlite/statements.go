package sqlite

import (
	"context"
	"database/sql"
	"errors"
)

// statements are prepared once, on the connection that writes.
type statements struct {
	selectMessages, insertMessage, updateMessage, insertReceipt, joinReceipt                *sql.Stmt
	insertDeadLetter, deleteDeadLetter, deleteLetterAbout, deleteOtherLetter, writeLetter   *sql.Stmt
	selectReplayed, noteReplayed, reopenFailed                                              *sql.Stmt
	selectThreads, insertThread, updateThread                                               *sql.Stmt
	selectItems, writeItem, noteItem, forgetItems, asideKeys, asideKey, retryItem           *sql.Stmt
	selectDirty, selectAside, selectUnsure                                                  *sql.Stmt
	selectEvents, insertEvent                                                               *sql.Stmt
	insertAudit, selectAuditHead, writeAuditHead                                            *sql.Stmt
	selectPause, writePause, selectDue, selectNextDue, leaseThread, extendLease, linksAbove *sql.Stmt
	insertDelta, oldestDeltas, deleteDeltas, selectRollup, writeRollup                      *sql.Stmt
}

func (s *Store) statements(ctx context.Context) (*statements, error) {
	s.preparing.Lock()
	defer s.preparing.Unlock()
	if s.prepared != nil {
		return s.prepared, nil
	}
	p := &statements{}
	var done []*sql.Stmt
	for statement, text := range map[**sql.Stmt]string{
		&p.selectMessages: selectMessages, &p.insertMessage: insertMessage, &p.updateMessage: updateMessage,
		&p.insertReceipt: insertReceipt, &p.joinReceipt: joinReceipt,
		&p.insertDeadLetter: insertDeadLetter, &p.deleteDeadLetter: deleteDeadLetter, &p.deleteLetterAbout: deleteLetterAbout,
		&p.deleteOtherLetter: deleteOtherLetter, &p.writeLetter: writeLetter,
		&p.selectReplayed: selectReplayed, &p.noteReplayed: noteReplayed, &p.reopenFailed: reopenFailed,
		&p.selectThreads: selectThreads, &p.insertThread: insertThread, &p.updateThread: updateThread,
		&p.selectItems: selectItems, &p.writeItem: writeItem, &p.noteItem: noteItem,
		&p.forgetItems: forgetItems, &p.asideKeys: asideKeys, &p.asideKey: asideKey, &p.retryItem: retryItem,
		&p.selectDirty: selectDirty, &p.selectAside: selectAside, &p.selectUnsure: selectUnsure,
		&p.selectEvents: selectEvents, &p.insertEvent: insertEvent,
		&p.insertAudit: insertAudit, &p.selectAuditHead: selectAuditHead, &p.writeAuditHead: writeAuditHead,
		&p.selectPause: selectPause, &p.writePause: writePause, &p.selectDue: selectDue,
		&p.selectNextDue: selectNextDue, &p.leaseThread: leaseThread, &p.extendLease: extendLease, &p.linksAbove: linksAbove,
		&p.insertDelta: insertDelta, &p.oldestDeltas: oldestDeltas, &p.deleteDeltas: deleteDeltas,
		&p.selectRollup: selectRollup, &p.writeRollup: writeRollup,
	} {
		var err error
		if *statement, err = s.writer.PrepareContext(ctx, text); err != nil {
			for _, one := range done {
				err = errors.Join(err, one.Close())
			}
			return nil, err
		}
		done = append(done, *statement)
	}
	s.prepared = p
	return p, nil
}

// change runs a transaction that writes, with the prepared statements.
func (s *Store) change(ctx context.Context, op string, do func(tx *sql.Tx, p *statements) error) error {
	p, err := s.statements(ctx)
	if err != nil {
		return failed(op, err)
	}
	if err := s.write(ctx, func(tx *sql.Tx) error { return do(tx, p) }); err != nil {
		return failed(op, err)
	}
	return nil
}

// selectAll runs a query whose one parameter is a list, and does not where that is empty. SQLite
// limits the number of parameters, so the list is one of JSON.
func selectAll[T, K any](statement *sql.Stmt, scan func(row) (T, error), list []K) ([]T, error) {
	if len(list) == 0 {
		return nil, nil
	}
	rows, err := statement.Query(jsonList(list))
	if err != nil {
		return nil, err
	}
	return scanAll(rows, scan)
}
