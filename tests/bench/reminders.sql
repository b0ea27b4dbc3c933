-- name: become_demo
-- The fairground's installation, as a load run finds one.
UPDATE installation SET demo = true;
