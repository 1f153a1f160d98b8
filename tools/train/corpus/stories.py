"""Short stories: a cast that keeps its names and pronouns, a plot, an ending.

`PLOTS` is data: `who` may play (`child`, `animal`, `any`), `vars` fixed once per
story, `friends` the animals that fit as the friend (default all), and the beats in order.
"""

from .words import ANIMALS, BOYS, GIRLS, HE_ANIMALS, LISTS, SHE_ANIMALS, expand, pronouns

OPENINGS = [
    "Once upon a time, there was a {adj} {kind} named {N}.",
    "Once upon a time, there was a {adj} {kind} named {N}. {He} lived {home}.",
    "Once upon a time, a {adj} {kind} named {N} lived {home}.",
    "Once upon a time, {home}, there lived a {adj} {kind}. {His} name was {N}.",
    "Once upon a time, there lived a {kind} called {N}. {N} was very {adj}.",
    "Once upon a time, {N} the {kind} lived {home} with {his} [family|mother|father|brothers|sisters].",
    "There was once a {adj} {kind} named {N}, who lived {home}.",
    "Long ago, a {adj} {kind} named {N} lived {home}.",
    "{N} was a {adj} {kind}. {He} lived {home}.",
    "{N} was a {kind} who lived {home}. Everyone knew that {he} was {adj}.",
]

PLOTS = [
    dict(who="child", vars={"thing": ["ball", "hat", "toy boat", "book", "teddy bear", "blue scarf", "red mitten", "little drum", "golden key"],
         "spot": ["under the bed", "behind the door", "in the garden", "under a bush", "in the kitchen", "behind the sofa", "under the rug", "on the sofa", "on the roof", "in the basket"]}, beats=[
        "{morning}, {N} could not find {his} {thing}. [{He} loved that {thing} very much.|It was {his} favourite thing in the world.|{He} felt very sad.]",
        "[{He} looked under the table, but it was not there.|First, {he} looked in {his} room.|{He} looked in every box.] [Then {he} looked behind the chair.|Then {he} looked on the shelf.] [It was not there.|There was nothing but dust.|{He} began to cry.]",
        "\"[What is wrong|Why are you sad]?\" asked {his} {G}. \"I have lost my {thing},\" said {N}. \"[Let us look together|I will help you|Do not worry, we will find it],\" said {his} {G}.",
        "They looked and looked. At last, {N} found the {thing} {spot}! [The dog had hidden it there.|The cat was sleeping on it.|It had been there all the time.]",
        "[{N} {smile}. \"Thank you for helping me,\" {he} said.|{He} hugged {his} {G} and said, \"Thank you!\"] [From that day on, {N} always put {his} {thing} in its place.|After that, {he} took good care of {his} {thing}.]"]),
    dict(who="any", vars={"seed": ["seed", "tiny seed", "round brown seed", "little bean"], "plant": ["a tall sunflower", "a small apple tree", "a red rose", "a big pumpkin", "a bean plant"]}, beats=[
        "{morning}, {N} found a {seed} [on the path|in the grass|near the gate]. \"[What will it be|I wonder what it will grow into]?\" {he} [thought|asked].",
        "{He} [dug a small hole|made a hole in the soft ground] and put the {seed} in it. [Every day|Each morning], {he} gave it some water.",
        "[For many days, nothing happened.|A week went by, but nothing came up.|{N} waited and waited.] \"[Be patient|Good things take time|You must wait a little longer],\" said {F}.",
        "Then the sun came out and the rain fell. [One day|One morning], {N} saw a small green leaf. [It grew and grew.|Every day it was a little taller.]",
        "[By the end of the summer|At last], it was {plant}! {N} {smile}. [\"I am glad that I waited,\" {he} said.|{He} showed it to {F}, and they were both proud.|{He} had learned that good things take time.]"]),
    dict(who="any", vars={}, beats=[
        "{N} was afraid of the dark. [Every night, {he} asked for a light.|When the sun went down, {he} hid under {his} blanket.|{He} did not like to sleep alone.]",
        "One night, {he} heard a [strange|soft|scratching] sound [outside|near the door]. \"Who is there?\" {he} asked in a [small|quiet] voice.",
        "[Nobody answered.|The sound came again.] {N} took a deep breath and [looked outside|went to look]. It was only {F}! \"[I could not sleep|I am lost in the dark],\" said {F}. \"[May I stay with you|Can I sit with you]?\"",
        "\"Of course,\" said {N}. They [sat together and looked at the stars|counted the stars together|watched the round moon]. [The stars were bright and the night was calm.|The moon made everything silver.]",
        "\"The dark is not so bad,\" said {N}. [From then on, {he} was not afraid any more.|After that night, {he} slept well.] [And when {he} woke up, the sun was shining.|]"]),
    dict(who="any", vars={"food": ["a loaf of bread", "a basket of apples", "a big cake", "a bag of nuts", "a pot of soup", "a jar of honey"]}, beats=[
        "{morning}, {N} had {food}. [It smelled very good.|\"This is all for me,\" {he} said.|{He} could not wait to eat.]",
        "[On the way home|Just then], {he} met {F}. {F} looked [tired and hungry|sad and hungry]. \"I have not eaten all day,\" said {F}.",
        "{N} thought about it. [{He} was hungry too.|{He} wanted to keep everything.] But then {he} [smiled and said|said], \"[Let us share|Come and eat with me|There is enough for two].\"",
        "So they sat down [under a tree|by the path|on a big stone] and ate together. [The food tasted even better than before.|They talked and laughed.]",
        "\"Thank you,\" said {F}. \"You are a good friend.\" [{N} felt warm inside.|{N} was happy.] [{He} had learned that sharing makes everything better.|From that day on, they always shared their food.|The next day, {F} brought {N} a gift.]"]),
    dict(who="child", vars={"pet": ["kitten", "puppy", "little bird", "small rabbit"]}, beats=[
        "{morning}, {N} was walking [home from school|in the park|down the road] when {he} heard a small cry. [It came from a bush.|It came from behind a wall.]",
        "{He} looked and saw a {pet}. It was [cold and wet|all alone|hungry and afraid]. \"[Oh, you poor thing|Do not be afraid|I will help you],\" said {N}.",
        "{He} [picked it up gently|put it in {his} coat] and carried it home. {His} {G} gave it [some water and a soft towel|some food and a warm box].",
        "\"Can we keep it?\" asked {N}. \"First we must find out if somebody is looking for it,\" said {his} {G}. [They asked everyone in the street.|They asked all the neighbours.] [But nobody knew the {pet}.|Nobody had lost a {pet}.]",
        "\"Then it can stay with us,\" said {his} {G}. {N} {smile}. [{He} named it {petname}.|{He} called the {pet} {petname}.] [From that day on, they were best friends.|{petname} slept at the end of {his} bed every night.]"]),
    dict(who="child", vars={}, beats=[
        "{morning}, {N} went [to the hill|to the field|to the park] with {his} new {colour} kite. [The wind was strong.|The wind was just right.]",
        "The kite went up, up, up into the sky. [It looked like a bird.|It danced in the wind.] But then the string broke, and the kite [flew into a tall tree|got stuck in a tree].",
        "[{N} jumped, but {he} could not reach it.|{He} tried to climb the tree, but it was too tall.] {He} [sat down and began to cry|did not know what to do].",
        "Then {F} came by. \"[I have an idea|I know what to do],\" said {F}. {fHe} [brought a long stick|found a long branch] and [pushed the kite|shook the branch] until it fell down.",
        "\"[Thank you|You did it]!\" said {N}. {He} tied the string again, and they flew the kite together until [the sun went down|it was time for dinner]. [It was the best day of the year.|They became good friends.]"]),
    dict(who="child", vars={"cake": ["an apple pie", "a chocolate cake", "some cookies", "a loaf of bread", "a big pancake"]}, beats=[
        "It was {his} {G}'s birthday, and {N} wanted to make {cake}. [{He} had never done it alone.|{He} wanted it to be a surprise.]",
        "[{He} took flour, eggs and milk.|{He} put flour, sugar and eggs in a big bowl.] [Then {he} mixed and mixed.|{He} stirred it with a wooden spoon.]",
        "But {he} [dropped the bowl|spilled the milk], and there was a big mess on the floor. \"Oh no!\" said {N}. [{He} wanted to cry.|{He} felt very bad.]",
        "{F} heard the noise and came in. \"[Do not worry|It was an accident],\" said {F}. \"We can clean it up and try again.\" So they [cleaned the floor|washed everything] and started again.",
        "[Soon the kitchen smelled wonderful.|After an hour, it was ready.] {His} {G} came home and {smile}. \"This is the best gift of all,\" {ghe} said. [{N} was very proud.|They all sat down and ate together.]"]),
    dict(who="animal", vars={}, beats=[
        "{morning}, {N} went too far from home. [{He} had followed a butterfly.|{He} wanted to see the world.|{He} had been chasing a leaf.] [When {he} looked around, {he} did not know where {he} was.|All the trees looked the same.]",
        "\"[I am lost|Where is my home]!\" cried {N}. [The sky was getting dark.|A cold wind was blowing.] {He} [sat down under a tree|hid behind a stone] and began to cry.",
        "{F} heard {him} and came closer. \"Why are you crying?\" asked {F}. \"I cannot find my home,\" said {N}. \"I live {home}.\"",
        "\"I know that place,\" said {F}. \"[Follow me|Come with me].\" They walked [through the tall grass|along the river|past the big rocks] for a long time. {N} was tired, but {he} did not give up.",
        "At last, {he} saw {his} home. {His} mother ran to {him} and [hugged {him}|held {him} close]. \"Thank you, {Fn}!\" said {N}. [From that day on, {he} stayed close to home.|After that, {N} and {Fn} played together every day.]"]),
    dict(who="animal", vars={}, beats=[
        "{N} was [slow|small], and the other animals [laughed at {him}|made fun of {him}]. \"You will never win a race,\" they said.",
        "{morning}, there was a big race [around the lake|through the forest|to the top of the hill]. {F} was the fastest of all. \"I will win,\" said {F}. \"Nobody can run like me.\"",
        "The race began. {F} ran [very fast|like the wind], but {fhe} [stopped to rest under a tree|stopped to eat some berries]. [Soon {fhe} fell asleep.|The sun was warm, and {fhe} closed {fhis} eyes.]",
        "{N} did not stop. Step by step, {he} went on. [{His} legs were tired, but {he} did not give up.|{He} passed {Fn}, who was still sleeping.]",
        "In the end, {N} won the race! All the animals [cheered|clapped]. \"[I am sorry that I laughed|You were better than me today],\" said {Fn}. [{N} smiled. \"We can still be friends,\" {he} said.|Slow and steady wins the race.]"]),
    dict(who="child", vars={"thing": ["vase", "cup", "window", "plate", "lamp"]}, beats=[
        "{morning}, {N} was playing with {his} ball in the house. [{His} {G} had told {him} not to do that.|{He} threw it high into the air.] The ball hit the {thing}, and the {thing} broke.",
        "{N} was afraid. [{He} hid the pieces under the bed.|{He} hid in {his} room.] \"[Nobody will know|Maybe nobody will see it],\" {he} thought.",
        "In the evening, {his} {G} asked, \"Who broke the {thing}?\" [{N} looked at the floor.|{N} felt {his} face get hot.] \"[It was the cat|I do not know],\" {he} said. But {his} heart felt heavy.",
        "That night, {he} could not sleep. [{He} got up and went to {his} {G}.|At last, {he} went to the kitchen.] \"I broke the {thing},\" said {N}. \"I am sorry that I lied.\"",
        "{His} {G} [hugged {him}|took {his} hand]. \"[Thank you for telling the truth|It was brave of you to tell me],\" {ghe} said. [{N} felt much better.|Then {N} could sleep again.] [From that day on, {he} always told the truth.|The next day, they fixed the {thing} together.]"]),
    dict(who="any", vars={}, beats=[
        "{morning}, it began to rain. [It rained all day.|The rain fell hard.] {N} could not go out to play. \"[I am so bored|There is nothing to do],\" {he} said.",
        "[{He} looked out of the window.|{He} watched the drops on the leaves.] Then {he} saw {F} outside in the rain. {F} was jumping in the puddles!",
        "\"[Come out|Come and play]!\" called {F}. \"The water is fun!\" {N} [thought for a moment|was not sure]. Then {he} ran out into the rain.",
        "[Splash! Splash!|Splash, splash, splash!] They jumped in every puddle. [They made little boats out of leaves.|They laughed and sang.] Soon they were wet from head to toe.",
        "When the rain stopped, there was a big rainbow in the sky. [\"I love rainy days,\" said {N}.|\"What a wonderful day!\" said {N}.] Then they went home, [got dry and drank something warm|and {his} mother gave them warm soup]."]),
    dict(who="animal", friends=["bear", "dog", "goat", "owl"], vars={"thorn": ["a thorn in {fhis} foot", "a sore leg"]}, beats=[
        "{morning}, {N} met {F}. {F} was [very big|very loud], and {N} was afraid of {fhim}. [{He} wanted to run away.|{He} hid behind a tree.]",
        "But {F} did not move. {fHe} was [crying|sitting still]. \"[What is the matter|What is wrong]?\" asked {N} in a small voice. \"I have {thorn},\" said {Fn}. \"It hurts so much.\"",
        "{N} was still afraid, but {he} [wanted to help|came closer]. \"[Hold still|I will be careful],\" {he} said. [Slowly and gently, {he} helped {fhim}.|{He} worked for a long time.] At last, the pain was gone.",
        "\"Thank you,\" said {Fn}. \"You are small, but you are very brave. I will not forget it.\"",
        "[A few days later|The next week], {N} fell into [a deep hole|the river]. \"Help!\" {he} cried. {Fn} heard {him} and came running. {fHe} pulled {him} out. [\"Now we are even,\" said {Fn}, and they both laughed.|After that, they were friends for ever.]"]),
    dict(who="any", vars={}, beats=[
        "{N} wanted to learn how to [swim|dance|sing|whistle]. [{He} tried every day, but {he} could not do it.|{He} had tried many times.] \"I will never learn it,\" {he} said.",
        "\"[Do not give up|Try once more],\" said {F}. \"I could not do it at first. [I had to practise every day.|It took me a long time.] I will show you.\"",
        "So {F} showed {him} [again and again|slowly, step by step]. [The first time, {N} did it wrong.|At first, it was very hard.] [The second time, it was a little better.|The next day, it was a little easier.]",
        "{N} practised [in the morning and in the evening|every day for a week|all summer]. [{He} was tired, but {he} went on.|Sometimes {he} wanted to stop, but {F} helped {him}.]",
        "Then, [one day|at last], {he} could do it! \"[Look at me|I can do it]!\" {N} called. {F} {smile}. [\"I knew you could do it,\" {fhe} said.|{N} was very proud, and {he} thanked {Fn}.]"]),
    dict(who="any", vars={}, beats=[
        "One winter day, {N} woke up and saw that everything was white. It had snowed all night! [{He} put on {his} warm scarf and ran outside.|{He} ran out at once.]",
        "[{F} was there too.|Soon {F} came to play.] \"Let us make a snowman,\" said {N}. They rolled a big ball of snow, then a smaller one, and then a very small one.",
        "They used [stones|nuts] for the eyes and a [carrot|stick] for the nose. [{N} gave the snowman {his} {colour} scarf.|{F} put an old hat on its head.] \"[Hello, snowman|He looks so happy]!\" they [said|laughed].",
        "When the sun came out, the snowman began to melt. {N} was sad. \"[Do not be sad|He is only going away for a while],\" said {Fn}. \"[He will come back next winter|We can make a new one when the snow comes back].\"",
        "[So {N} waved and said, \"See you next year!\"|{N} smiled and waved goodbye.] [Then they went inside and drank {drink}.|And the next winter, they made an even bigger one.]"]),
    dict(who="any", vars={}, beats=[
        "One night, {N} looked up and saw a bright star [fall from the sky|over the trees]. \"I wish [for a friend|that I had a friend],\" {he} said. [{He} was often lonely.|Nobody lived near {him}.]",
        "[The next morning|In the morning], there was a knock at the door. {N} opened it. There stood {F}. \"[I am new here|I have just moved here],\" said {Fn}. \"[Do you want to play|Would you like to be my friend]?\"",
        "{N} [could not believe it|was so surprised that {he} could not speak]. Then {he} {smile}. \"Yes, [please|I would love to]!\" {he} said.",
        "They [played all day|played in the garden|ran through the fields] and told each other stories. [{F} liked the same games.|They found out that they both loved {hobby}.]",
        "That night, {N} looked up at the sky. \"Thank you, little star,\" {he} said. [And the star seemed to shine a little brighter.|And {he} was never lonely again.]"]),
    dict(who="child", vars={"item": ["a basket of eggs", "some milk", "a loaf of bread", "a bag of apples", "some flowers"]}, beats=[
        "{morning}, {his} {G} said, \"{N}, please go to the market and buy {item}.\" [{N} was proud to go alone.|{N} took the basket and some coins.]",
        "On the way, {he} saw [a clown|a man with a drum|a woman with balloons|a little parade]. [It was so funny that {he} stopped to watch.|{He} stopped and watched for a long time.] When {he} [put {his} hand in {his} pocket|looked for the coins], the coins were gone!",
        "\"Oh no,\" said {N}. [{He} walked back and looked at the ground.|{He} looked everywhere.] Then {F} came up to {him}. \"[Did you lose these|Are these yours]?\" asked {F}, and held out the coins.",
        "\"Yes! Thank you so much,\" said {N}. \"[You are very honest|That is so kind of you].\" [They went to the market together.|{F} walked with {him} to the market.]",
        "{N} bought {item} and went home. {He} told {his} {G} everything. \"[Honest friends are worth more than gold|I am glad that you met somebody so kind],\" said {his} {G}."]),
    dict(who="animal", vars={}, beats=[
        "All summer long, {N} [gathered nuts and seeds|worked hard and saved food for the winter]. {F} only [played and slept in the sun|sang and danced]. \"[Why do you work so hard|Come and play with me]?\" said {F}.",
        "\"Winter is coming,\" said {N}. \"[There will be no food in the snow|We must be ready].\" But {Fn} only laughed.",
        "Then the leaves fell and the wind turned cold. [One morning, snow covered the ground.|Soon the snow came.] {Fn} was cold and hungry. {fHe} had nothing to eat.",
        "{fHe} went to {N} and knocked at the door. \"[I should have listened to you|I was foolish],\" said {Fn}. \"May I have something to eat?\"",
        "{N} [opened the door wide|was kind]. \"Come in,\" {he} said. \"[There is enough for both of us|You can stay here until spring].\" [The next summer, they worked together.|And when summer came again, {Fn} was the first to start work.]"]),
    dict(who="any", vars={"box": ["small box", "wooden box", "golden box", "old chest"], "inside": ["an old map", "a silver bell", "a letter", "a music box", "a shining stone"]}, beats=[
        "{morning}, {N} found a {box} [under a tree|near the river|in the sand]. It was [closed with a lock|shut tight]. \"What could be inside?\" {he} [said|asked].",
        "{He} [shook it|tried to open it], but it would not open. So {he} took it to {F}. \"[Let me try|I may be able to help],\" said {Fn}. [They pulled and pulled.|They tried one key after another.]",
        "At last, the {box} opened with a click. Inside, there was {inside}. [\"How beautiful!\" said {N}.|They were very surprised.] But under it, there was a name. \"This belongs to somebody,\" said {Fn}.",
        "[{N} wanted to keep it, but {he} knew that it was not right.|\"We must give it back,\" said {N}.] So they went to an old [woman|man] who lived near the [bridge|mill] and gave the {box} back.",
        "The old [woman|man] had tears of joy. \"I lost this many years ago,\" came the answer. \"[Thank you, my dear friends|You have made me very happy].\" [Then they all had tea and cake together.|{N} walked home with a happy heart.]"]),
    dict(who="child", vars={}, beats=[
        "It was the first day of school, and {N} was nervous. \"[What if nobody likes me|What if I get lost]?\" {he} asked. \"Just be kind, and you will be fine,\" said {his} {G}.",
        "At school, {N} sat [alone|at a small table near the window]. [{He} was too shy to speak.|Everybody else was talking.] Then {he} saw {F}, who was sitting alone too.",
        "{N} remembered what {his} {G} had said. {He} took a deep breath. \"Hello, I am {N},\" {he} said. \"[Would you like half of my apple|Do you want to draw with me]?\"",
        "{F} {smile}. \"Yes, please,\" {fhe} said. [They talked about {hobby}.|They drew a big {colour} house.] Soon they were laughing together.",
        "When {N} came home, {his} {G} asked, \"How was your day?\" \"[It was great|Wonderful],\" said {N}. \"I have a new friend. [{His2} name is {Fn}.|We will play again tomorrow.]\""]),
    dict(who="animal", vars={}, beats=[
        "{N} loved to sing. [{He} sang in the morning and in the evening.|{He} sang all day long.] But the other animals said, \"[Be quiet|Please stop]! You are too loud.\" So {N} [stopped singing|became sad and quiet].",
        "One night, there was a thick fog. {F} was out in the forest and could not find the way home. \"[Help|Where am I]?\" called {Fn}. [But nobody could see anything.|It was cold and dark.]",
        "{N} heard the call. {He} [climbed on a big stone|stood on the hill] and began to sing as loudly as {he} could. [The song went far through the fog.|{His} voice was clear and strong.]",
        "{Fn} heard the song and followed it, step by step. At last, {fhe} came out of the forest. \"Your song saved me!\" said {Fn}.",
        "The other animals were sorry. \"Please sing for us every evening,\" they said. [And {N} did.|{N} was happy again, and {he} sang until the stars came out.]"]),
    dict(who="any", vars={}, beats=[
        "{morning}, {N} and {F} wanted to cross the river. But the bridge was broken. [The water was deep and fast.|\"What shall we do?\" asked {N}.]",
        "\"[I can jump over it|We can swim],\" said {Fn}. \"No, that is too dangerous,\" said {N}. \"[Let us think first|There must be a better way].\"",
        "[They looked around.|They sat down and thought.] Then {N} saw a long [log|tree trunk] in the grass. \"[If we push it together, it will reach the other side|We can make a new bridge],\" {he} said.",
        "The [log|trunk] was heavy. They pushed and pulled. [\"One, two, three!\" they called.|They were soon very tired.] Slowly, it rolled to the river and fell across the water.",
        "Now they could cross. \"[Alone, I could not have done it|Together we are strong],\" said {N}. [On the other side, they found the sweetest berries they had ever tasted.|And from that day on, all the animals used the new bridge.]"]),
    dict(who="child", vars={}, beats=[
        "{N} went to the sea with {his} {G}. [The sand was warm and the waves were blue.|It was a hot summer day.] {He} wanted to build the biggest sand castle in the world.",
        "{He} [dug and dug|worked all morning]. The castle had four towers and a deep ditch. [{He} put a {colour} flag on top.|{He} put shells on the walls.] But then a big wave came and washed it away.",
        "{N} was [angry|sad]. \"All my work is gone!\" {he} said. {F}, who was playing near {him}, had seen it. \"[We can build a new one|Let us do it together],\" said {Fn}. \"This time, farther from the water.\"",
        "So they built a new castle, even bigger than the first. [They laughed and sang while they worked.|{N} made the walls, and {Fn} made the towers.]",
        "In the evening, the sun went down, and the castle was still there. {N} was [tired but happy|very proud]. \"[Tomorrow we can build a whole town|That was the best day],\" {he} said."]),
    dict(who="child", vars={}, beats=[
        "{N} had a loose tooth. [It moved when {he} ate.|It moved from side to side.] {He} was afraid that it would hurt.",
        "\"[Does it hurt|Is it bad]?\" {he} asked {F}. \"[No, not at all|Only a little],\" said {Fn}. \"[I lost one last week|Mine came out when I ate an apple].\"",
        "[That gave {N} an idea.|{N} thought about that.] {He} took a big red apple and bit into it. Crunch! [The tooth was out!|And there was the tooth!]",
        "\"[It did not hurt|Look]!\" said {N}. {He} [ran to show it to everyone|laughed out loud]. There was a funny gap when {he} smiled.",
        "[That night, {he} dreamed of a new, strong tooth.|\"Now I am getting big,\" {he} said.] [And a few weeks later, the new tooth was there.|And {Fn} agreed.]"]),
]

ENDINGS = ["", "", "", "", " The end.", " And they lived happily ever after.", " It was a very good day."]
HOBBIES = ["music", "stories", "running", "trees", "the sea", "old songs", "drawing", "games"]
PET_NAMES = ["Snow", "Star", "Button", "Ginger", "Cookie", "Shadow", "Lucky", "Biscuit"]


def cast(rng, who, kind=None, friends=tuple(ANIMALS)):
    """Context of a story: hero (`N`, `kind`, `he`..), friend (`F`, `Fn`, `fhe`..), grown-up (`G`, `ghe`)."""
    female = rng.random() < 0.5
    friend_female = female if rng.random() < 0.15 else not female
    grown = rng.choice(LISTS["grown"])
    if who == "animal":
        kind = kind or rng.choice(list(ANIMALS))
        name, friend = (rng.choice(SHE_ANIMALS if f else HE_ANIMALS) for f in (female, friend_female))
        friend_kind = rng.choice([k for k in friends if k != kind])
        slots = {"kind": kind, "home": ANIMALS[kind], "F": f"{friend} the {friend_kind}"}
        slots["kind"] = rng.choice(["", "", "little "]) + kind
    else:
        kind = kind or ("girl" if female else "boy")
        female = kind == "girl"
        name, friend = (rng.choice(GIRLS if f else BOYS) for f in (female, friend_female))
        slots = {"kind": rng.choice(["", "little "]) + kind, "home": rng.choice(LISTS["child_home"])}
        slots["F"] = f"{'her' if female else 'his'} friend {friend}" if rng.random() < 0.3 else friend
    if friend == name:
        return cast(rng, who, kind, friends)
    grown_slots = pronouns(grown in ("mother", "grandmother", "aunt"), "g")
    return slots | pronouns(female) | pronouns(friend_female, "f") | grown_slots | {
        "N": name, "Fn": friend, "G": grown, "His2": "Her" if friend_female else "His",
        "adj": rng.choice(LISTS["adj"]), "hobby": rng.choice(HOBBIES), "petname": rng.choice(PET_NAMES),
    }


def story(rng, kind=None):
    """One story; `kind` (say `fox` or `girl`) fixes the hero."""
    group = None if kind is None else "child" if kind in ("boy", "girl") else "animal"
    while True:
        plot = rng.choice(PLOTS)
        if group is None or plot["who"] in ("any", group):
            break
    who = plot["who"] if plot["who"] != "any" else group or rng.choice(["child", "animal"])
    context = cast(rng, who, kind, plot.get("friends", tuple(ANIMALS)))
    context |= {name: rng.choice(values) for name, values in plot["vars"].items()}
    beats = [expand(rng, rng.choice(OPENINGS), context)]
    mentioned = False
    for beat in plot["beats"]:
        # The friend comes with kind or title once, and by the bare name after that.
        if mentioned:
            beat = beat.replace("{F}", "{Fn}")
        elif "{F}" in beat:
            beat, mentioned = beat.replace("{F}", "{F}", 1), True
            first, rest = beat.split("{F}", 1)
            beat = first + "{F}" + rest.replace("{F}", "{Fn}")
        beats.append(expand(rng, beat, context))
    # Some stories are set in two paragraphs.
    cut = rng.randint(1, 3) if rng.random() < 0.2 else None
    parts = [" ".join(beats)] if cut is None else [" ".join(beats[:cut]), " ".join(beats[cut:])]
    return "\n\n".join(parts) + rng.choice(ENDINGS)
