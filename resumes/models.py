"""The tables `resume` and `resume_bak`."""

from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

# Words that read otherwise elsewhere have a context: at run time the catalogues of all apps are one.


class Sex(models.TextChoices):
    """Sexes of the sample's people."""

    FEMALE = "female", _("female")
    MALE = "male", _("male")


class Education(models.TextChoices):
    """Educations of the sample's people; they are also the item parameters of the job."""

    BACHELOR = "bachelor", pgettext_lazy("education", "bachelor")
    MASTER = "master", pgettext_lazy("education", "master")
    DOCTOR = "doctor", pgettext_lazy("education", "doctor")


class State(models.TextChoices):
    """Whether a row has been archived. A row without a state is neither: the job leaves it alone."""

    NOT_ARCHIVED = "未归档", _("not archived")
    ARCHIVED = "已归档", _("archived")


class ResumeColumns(models.Model):
    """The columns that both tables share."""

    id = models.BigAutoField("id", primary_key=True)
    name = models.CharField(pgettext_lazy("person", "name"), max_length=255, null=True, blank=True)
    sex = models.CharField(_("sex"), max_length=255, null=True, blank=True, choices=Sex)
    phone = models.CharField(_("phone"), max_length=255, null=True, blank=True)
    address = models.CharField(_("address"), max_length=255, null=True, blank=True)
    education = models.CharField(_("education"), max_length=255, null=True, blank=True, choices=Education)
    state = models.CharField(
        _("state"), max_length=255, null=True, blank=True, choices=State, default=State.NOT_ARCHIVED
    )

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"{self.id} {self.name or ''}".rstrip()


class Resume(ResumeColumns):
    """A resume; it stays here after it has been archived.

    The job asks every two seconds for the lowest id that is not archived, of all educations or of one. Each question
    has an index that ends in the id, so that the answer is its first entry, however many rows are archived; a share by
    `id % total` passes over the entries of other shares.
    """

    class Meta:
        db_table = "resume"
        verbose_name = pgettext_lazy("document", "resume")
        verbose_name_plural = pgettext_lazy("document", "resumes")
        indexes = (
            models.Index(fields=("state", "id"), name="resume_state"),
            models.Index(fields=("state", "education", "id"), name="resume_state_education"),
        )


class ResumeBak(ResumeColumns):
    """The copy of an archived resume, under the same id."""

    class Meta:
        db_table = "resume_bak"
        verbose_name = _("archived resume")
        verbose_name_plural = _("archived resumes")
