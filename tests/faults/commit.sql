-- name: poison_messages
-- From now on a message that says "poison" fails at COMMIT, when everything has been written.
CREATE FUNCTION refuse_poison() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'poison' USING ERRCODE = '40001';
END $$;

-- name: poison_messages_at_commit
-- As above: the trigger itself.
CREATE CONSTRAINT TRIGGER poisoned AFTER INSERT ON message DEFERRABLE INITIALLY DEFERRED
FOR EACH ROW WHEN (new.text = 'poison') EXECUTE FUNCTION refuse_poison();

-- name: poison_transfers_at_commit
-- The same for a transfer with such a note.
CREATE CONSTRAINT TRIGGER poisoned AFTER INSERT ON transfer DEFERRABLE INITIALLY DEFERRED
FOR EACH ROW WHEN (new.note = 'poison') EXECUTE FUNCTION refuse_poison();

-- name: poison_marks_at_commit
-- The same for every pin.
CREATE CONSTRAINT TRIGGER poisoned AFTER INSERT ON contact_mark DEFERRABLE INITIALLY DEFERRED
FOR EACH ROW EXECUTE FUNCTION refuse_poison();

-- name: wait_for_lock
-- From now on a message that says "wait" is written when the lock can be had, at COMMIT.
CREATE FUNCTION wait_for_lock() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(11);
    RETURN NULL;
END $$;

-- name: wait_for_lock_at_commit
-- As above: the trigger itself.
CREATE CONSTRAINT TRIGGER waiting AFTER INSERT ON message DEFERRABLE INITIALLY DEFERRED
FOR EACH ROW WHEN (new.text = 'wait') EXECUTE FUNCTION wait_for_lock();

-- name: hold_lock
-- Nobody else has it until `let_lock_go`.
SELECT pg_advisory_lock(11);

-- name: let_lock_go
-- Whoever waits for it goes on.
SELECT pg_advisory_unlock(11);

-- name: waits_for_lock
-- Whether somebody waits for it.
SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND objid = 11 AND NOT granted);
