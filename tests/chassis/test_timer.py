"""Work by the clock: what fails is told in the log, and the clock goes on."""

from uuid import uuid4

from tests.chassis.specimen import Laboratory, Specimen


def test_timed_work_that_fails_is_logged_and_done_again_in_time(
    shared_laboratory: Laboratory, shared_specimen: Specimen
) -> None:
    shared_laboratory.execute("insert into timed values ('fail')")
    assert shared_specimen.wait_for_log("timed work failed", lambda line: "timed work went wrong" in line["exception"])
    key = str(uuid4())
    shared_laboratory.execute("delete from timed")

    shared_laboratory.execute("insert into timed values (:key)", key=key)

    shared_laboratory.wait_for_effects(key)
    assert shared_laboratory.effects(key) == [1]
