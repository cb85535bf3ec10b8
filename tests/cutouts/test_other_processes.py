"""What is sent to another process works there."""

import pickle


def test_a_survey_that_was_used_can_be_sent(survey):
    survey._thread_session()
    sent = pickle.loads(pickle.dumps(survey))
    assert sent.server == survey.server
    assert sent._thread_session() is not survey._thread_session()
