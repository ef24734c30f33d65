"""Words that carry grammar, not subject, per language.

Promise: small, closed lists of folded words. They are short on purpose: BM25's idf already discounts what is
frequent; these lists only keep question frames ("how do I ...", "wie kann ich ...") from counting as
evidence. Refuses to list anything a help article can be about ("account", "weg", "gegen", "ohne" stay words).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_GERMAN: Final = """ ab aber alle allem allen aller alles als also am an andere anderem anderen anderer
anderes auch auf aus bei beim bin bis bist bitte da dabei dafür dafuer damit dann daran darauf das dass dazu
dein deine deinem deinen deiner deines dem den denn der derer des dessen dich die dies diese diesem diesen
dieser dieses dir doch dort du durch durfen dürfen duerfen darf ein eine einem einen einer eines einige einmal
er es etwas euch euer eure eurem euren eurer für fuer gab geben gibt ganz gerne gern gewesen hab habe haben
hallo hat hatte hatten hier hin ich ihm ihn ihnen ihr ihre ihrem ihren ihrer ihres im in indem ins ist ja je
jede jedem jeden jeder jedes jene jenem jenen jener jenes jetzt kann kannst kein keine keinem keinen keiner
können konnen koennen könnte koennte könnten macht machen mal man manche mein meine meinem meinen meiner
meines mich mir mit möchte moechte muss muß muessen müssen musste nach nicht nichts noch nun nur ob oder sehr
sein seine seinem seinen seiner seines selbst sich sie sind so solche soll sollen sollte sollten sondern sonst
sowie u um und uns unser unsere unserem unseren unter viel vom von vor wann war waren warum was weil welche
welchem welchen welcher welches wem wen wenn wer werde werden wessen weshalb wie wieder wieso wieviel will wir
wird wirst wo wobei wodurch wofür wofuer woher wohin womit wollen wollte woran worauf woraus worin wozu würde
wuerde würden wuerden während zb z.b zu zum zur zwar zwischen über ueber
"""

_ENGLISH: Final = """ a about after all also am an and any are arent as at be because been before being both
but by can cant cannot could couldnt did didnt do does doesnt doing dont each for from get had has hasnt have
havent having he hello her here hers hi him his how i id if ill im in into is isnt it its ive just like let
lets me might more most must my myself no nor not of on once only or other our ours out over own please shall
she should shouldnt so some such than thank thanks that thats the their theirs them then there theres these
they theyre this those through to too under until up us very want was wasnt we were werent what whats when
where which while who whom whose why will with wont would wouldnt you your yours youre
"""

STOPWORDS: Final[Mapping[str, frozenset[str]]] = {
    "de": frozenset(_GERMAN.split()),
    "en": frozenset(_ENGLISH.split()),
}
