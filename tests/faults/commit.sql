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
